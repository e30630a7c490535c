// From a template's pieces to its tree.

import MatrixCore

struct TemplateParser {
    private let name: String
    private let source: String
    private var pieces: ArraySlice<TemplatePieces.Piece> = []
    /// Named by `extends`.
    private(set) var parent: String?
    private var depth = 0

    /// How deep statements may stand in each other.
    private static let depthLimit = 50

    init(_ text: String, name: String) {
        source = text
        self.name = name
    }

    mutating func template() throws(TemplateError) -> [Template.Node] {
        pieces = try TemplatePieces(source, name: name).pieces[...]
        return try nodes(until: []).0
    }

    private struct End {
        let word: String
        let tag: TagParser
    }

    /// The nodes up to one of the statements that end the surrounding one.
    private mutating func nodes(until ends: Set<String>) throws(TemplateError) -> ([Template.Node], End?) {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.depthLimit else { throw TemplateError(name, "statements stand too deep in each other") }
        var nodes: [Template.Node] = []
        while let piece = pieces.popFirst() {
            switch piece {
            case .text(let text): nodes.append(.text(text))
            case .output(let content, let line):
                var tag = try TagParser(content, template: name, line: line)
                nodes.append(.output(try tag.wholeExpression()))
            case .statement(let content, let line):
                var tag = try TagParser(content, template: name, line: line)
                let word = try tag.name()
                if Self.endings.contains(word) {
                    guard ends.contains(word) else { throw TemplateError(name, line: line, "\(word) ends nothing") }
                    return (nodes, End(word: word, tag: tag))
                }
                if let node = try statement(word, &tag, line) { nodes.append(node) }
            }
        }
        guard ends.isEmpty else { throw TemplateError(name, "\(ends.sorted().joined(separator: " or ")) is missing") }
        return (nodes, nil)
    }

    private static let endings: Set<String> = ["elif", "else", "endif", "endfor", "endblock"]

    private mutating func statement(_ word: String, _ tag: inout TagParser, _ line: Int) throws(TemplateError) -> Template.Node? {
        switch word {
        case "extends":
            parent = try tag.text()
            return nil
        case "block":
            let block = try tag.name()
            let (body, _) = try nodes(until: ["endblock"])
            return .block(name: block, body: body)
        case "include":
            let file = try tag.expression()
            return .include(file, isOptional: try tag.includeOptions())
        case "set":
            let variable = try tag.name()
            try tag.expect("=")
            return .assignment(variable: variable, try tag.wholeExpression())
        case "if": return try condition(try tag.wholeExpression())
        case "for": return try loop(&tag)
        default: throw TemplateError(name, line: line, "the statement \(word) is not known")
        }
    }

    private mutating func condition(_ first: Template.Expression) throws(TemplateError) -> Template.Node {
        var branches: [(test: Template.Expression, body: [Template.Node])] = []
        var test: Template.Expression? = first
        var otherwise: [Template.Node] = []
        while true {
            let (body, end) = try nodes(until: test == nil ? ["endif"] : ["elif", "else", "endif"])
            if let test { branches.append((test, body)) } else { otherwise = body }
            guard var tag = end?.tag, end?.word != "endif" else { return .condition(branches, otherwise: otherwise) }
            test = end?.word == "elif" ? try tag.wholeExpression() : nil
        }
    }

    private mutating func loop(_ tag: inout TagParser) throws(TemplateError) -> Template.Node {
        let variable = try tag.name()
        guard try tag.name() == "in" else { throw tag.error("for needs in") }
        let sequence = try tag.wholeExpression()
        let (body, end) = try nodes(until: ["else", "endfor"])
        var otherwise: [Template.Node] = []
        if end?.word == "else" { (otherwise, _) = try nodes(until: ["endfor"]) }
        return .loop(variable: variable, over: sequence, body: body, otherwise: otherwise)
    }
}

/// Reads the words of one tag.
struct TagParser {
    private let template: String
    private let line: Int
    private var tokens: ArraySlice<TemplateToken>
    private var depth = 0

    private static let depthLimit = 50

    init(_ content: Substring, template: String, line: Int) throws(TemplateError) {
        self.template = template
        self.line = line
        tokens = try TemplateToken.tokens(of: content, template: template, line: line)[...]
    }

    func error(_ message: String) -> TemplateError { TemplateError(template, line: line, message) }

    mutating func name() throws(TemplateError) -> String {
        guard case .name(let name)? = tokens.popFirst() else { throw error("a name is missing") }
        return name
    }

    mutating func text() throws(TemplateError) -> String {
        guard case .text(let text)? = tokens.popFirst(), tokens.isEmpty else { throw error("a text in quotes is missing") }
        return text
    }

    mutating func expect(_ symbol: String) throws(TemplateError) {
        guard take(symbol) else { throw error("\(symbol) is missing") }
    }

    /// `ignore missing`, `with context`, `without context`.
    mutating func includeOptions() throws(TemplateError) -> Bool {
        let isOptional = takeName("ignore") && takeName("missing")
        if takeName("with") || takeName("without"), !takeName("context") { throw error("context is missing") }
        guard tokens.isEmpty else { throw error("too much stands in the tag") }
        return isOptional
    }

    mutating func wholeExpression() throws(TemplateError) -> Template.Expression {
        let expression = try expression()
        guard tokens.isEmpty else { throw error("too much stands in the tag") }
        return expression
    }

    // MARK: Expressions, the loosest binding first

    mutating func expression() throws(TemplateError) -> Template.Expression {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.depthLimit else { throw error("an expression stands too deep") }
        let value = try disjunction()
        guard takeName("if") else { return value }
        let test = try disjunction()
        let otherwise = takeName("else") ? try expression() : .literal("")
        return .choice(test, then: value, otherwise: otherwise)
    }

    private mutating func disjunction() throws(TemplateError) -> Template.Expression {
        var left = try conjunction()
        while takeName("or") { left = .or(left, try conjunction()) }
        return left
    }

    private mutating func conjunction() throws(TemplateError) -> Template.Expression {
        var left = try negation()
        while takeName("and") { left = .and(left, try negation()) }
        return left
    }

    private mutating func negation() throws(TemplateError) -> Template.Expression {
        takeName("not") ? .not(try comparison()) : try comparison()
    }

    private mutating func comparison() throws(TemplateError) -> Template.Expression {
        let left = try concatenation()
        if takeName("is") {
            let isNegated = takeName("not")
            let test = Template.Expression.test(left, name: try name())
            return isNegated ? .not(test) : test
        }
        if takeName("not") {
            guard takeName("in") else { throw error("not stands where nothing can be denied") }
            return .not(.comparison(left, .contained, try concatenation()))
        }
        if takeName("in") { return .comparison(left, .contained, try concatenation()) }
        if case .symbol(let symbol)? = tokens.first, let comparison = Template.Comparison(rawValue: symbol) {
            tokens = tokens.dropFirst()
            return .comparison(left, comparison, try concatenation())
        }
        return left
    }

    private mutating func concatenation() throws(TemplateError) -> Template.Expression {
        var left = try postfix()
        while take("~") || take("+") { left = .concatenation(left, try postfix()) }
        return left
    }

    private mutating func postfix() throws(TemplateError) -> Template.Expression {
        var value = try primary()
        while true {
            if take(".") {
                value = try attribute(of: value)
            } else if take("[") {
                value = try element(of: value)
            } else if take("|") {
                let filter = try name()
                value = .filter(value, name: filter, arguments: take("(") ? try arguments() : [])
                guard TemplateFilters.names.contains(filter) else { throw error("the filter \(filter) is not known") }
            } else {
                return value
            }
        }
    }

    private mutating func attribute(of value: Template.Expression) throws(TemplateError) -> Template.Expression {
        let name = try name()
        guard take("(") else { return .member(value, .literal(.string(name))) }
        guard let method = TemplateMethod(rawValue: name) else { throw error("the method \(name) is not known") }
        return .call(value, method, arguments: try arguments())
    }

    private mutating func element(of value: Template.Expression) throws(TemplateError) -> Template.Expression {
        let start = tokens.first == .symbol(":") ? nil : try expression()
        if take(":") {
            let end = tokens.first == .symbol("]") ? nil : try expression()
            try expect("]")
            return .part(value, from: start, to: end)
        }
        try expect("]")
        guard let start else { throw error("an index is missing") }
        return .member(value, start)
    }

    private mutating func arguments() throws(TemplateError) -> [Template.Expression] {
        var arguments: [Template.Expression] = []
        if take(")") { return arguments }
        repeat { arguments.append(try expression()) } while take(",")
        try expect(")")
        return arguments
    }

    private mutating func primary() throws(TemplateError) -> Template.Expression {
        switch tokens.popFirst() {
        case .text(let text)?: return .literal(.string(text))
        case .number(let number)?: return .literal(.int(number))
        case .name(let name)?:
            switch name {
            case "true", "True": return .literal(true)
            case "false", "False": return .literal(false)
            case "none", "None": return .literal(.null)
            default: return .variable(name)
            }
        case .symbol("("):
            let value = try expression()
            try expect(")")
            return value
        case .symbol("-"):
            guard case .number(let number)? = tokens.popFirst() else { throw error("a number is missing") }
            return .literal(.int(-number))
        default: throw error("an expression is missing")
        }
    }

    private mutating func take(_ symbol: String) -> Bool {
        guard tokens.first == .symbol(symbol) else { return false }
        tokens = tokens.dropFirst()
        return true
    }

    private mutating func takeName(_ name: String) -> Bool {
        guard tokens.first == .name(name) else { return false }
        tokens = tokens.dropFirst()
        return true
    }
}
