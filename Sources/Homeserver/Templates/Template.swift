// A template of a page or a mail: the part of Jinja that Synapse's templates use, so that those an operator has go on to work.

import MatrixCore

/// A template that has been read. Rendering it is `TemplateRenderer`'s business.
package struct Template: Sendable {
    /// The file's name, e.g. `registration.html`.
    package let name: String
    let nodes: [Node]
    /// The template whose blocks this one fills.
    let parent: String?

    /// Values in `.html` files are escaped.
    var escapes: Bool { [".html", ".htm", ".xml"].contains { name.hasSuffix($0) } }

    /// - Throws: `TemplateError` with the line that is wrong.
    package init(_ text: String, name: String) throws(TemplateError) {
        var parser = TemplateParser(text, name: name)
        nodes = try parser.template()
        parent = parser.parent
        self.name = name
    }

    indirect enum Node: Sendable {
        case text(String)
        case output(Expression)
        case condition([(test: Expression, body: [Node])], otherwise: [Node])
        case loop(variable: String, over: Expression, body: [Node], otherwise: [Node])
        case assignment(variable: String, Expression)
        case block(name: String, body: [Node])
        case include(Expression, isOptional: Bool)
    }

    indirect enum Expression: Sendable {
        case literal(JSONValue)
        case variable(String)
        case member(Expression, Expression)
        case part(Expression, from: Expression?, to: Expression?)
        case call(Expression, TemplateMethod, arguments: [Expression])
        case filter(Expression, name: String, arguments: [Expression])
        case test(Expression, name: String)
        case not(Expression)
        case and(Expression, Expression)
        case or(Expression, Expression)
        case comparison(Expression, Comparison, Expression)
        case concatenation(Expression, Expression)
        case choice(Expression, then: Expression, otherwise: Expression)
    }

    enum Comparison: String, Sendable {
        case equal = "=="
        case different = "!="
        case less = "<"
        case atMost = "<="
        case greater = ">"
        case atLeast = ">="
        case contained = "in"
    }
}

/// What is wrong with a template.
package struct TemplateError: Error, Sendable, Equatable, CustomStringConvertible {
    package let template: String
    /// Counted from 1; 0 where no line is at fault.
    package let line: Int
    package let message: String

    package init(_ template: String, line: Int = 0, _ message: String) {
        self.template = template
        self.line = line
        self.message = message
    }

    package var description: String { line > 0 ? "\(template):\(line): \(message)" : "\(template): \(message)" }
}
