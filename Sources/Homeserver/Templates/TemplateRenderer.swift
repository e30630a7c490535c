// From a template and values to a text.

import MatrixCore

/// What a template is given, by name.
package typealias TemplateValues = [String: JSONValue]

/// Renders templates, which may extend and include each other.
struct TemplateRenderer {
    /// Finds the other templates.
    let find: (String) throws(TemplateError) -> Template?

    /// A value while a template is rendered.
    enum Value {
        case undefined
        case plain(JSONValue)
        /// Text that is not escaped again.
        case markup(String)
    }

    /// How many templates may include each other.
    private static let inclusionLimit = 16
    /// Bytes of a page or a mail: a loop in a template cannot fill the memory.
    private static let sizeLimit = 1 << 20

    private struct Scope {
        var values: [String: Value]
        /// The innermost definition of each block.
        var blocks: [String: [Template.Node]] = [:]
        var escapes: Bool
        var inclusions = 0
        var template: String
    }

    /// - Throws: `TemplateError`.
    func render(_ template: Template, _ values: TemplateValues) throws(TemplateError) -> String {
        var scope = Scope(values: values.mapValues { .plain($0) }, escapes: template.escapes, template: template.name)
        var output = ""
        try render(template, &scope, &output)
        return output
    }

    private func render(_ template: Template, _ scope: inout Scope, _ output: inout String) throws(TemplateError) {
        guard scope.inclusions < Self.inclusionLimit else { throw TemplateError(template.name, "templates include each other endlessly") }
        scope.inclusions += 1
        defer { scope.inclusions -= 1 }
        guard let parent = template.parent else { return try render(template.nodes, &scope, &output) }
        // The blocks of the outer template win: they were noted first.
        for case .block(let name, let body) in template.nodes where scope.blocks[name] == nil { scope.blocks[name] = body }
        for case .assignment(let variable, let value) in template.nodes { scope.values[variable] = evaluate(value, scope) }
        guard let base = try find(parent) else { throw TemplateError(template.name, "there is no template \(parent)") }
        try render(base, &scope, &output)
    }

    private func render(_ nodes: [Template.Node], _ scope: inout Scope, _ output: inout String) throws(TemplateError) {
        for node in nodes {
            guard output.utf8.count < Self.sizeLimit else { throw TemplateError(scope.template, "becomes too large") }
            switch node {
            case .text(let text): output += text
            case .output(let expression): output += text(evaluate(expression, scope), escapes: scope.escapes)
            case .assignment(let variable, let value): scope.values[variable] = evaluate(value, scope)
            case .block(let name, let body): try render(scope.blocks[name] ?? body, &scope, &output)
            case .condition(let branches, let otherwise):
                let body = branches.first { isTrue(evaluate($0.test, scope)) }?.body ?? otherwise
                try render(body, &scope, &output)
            case .loop(let variable, let sequence, let body, let otherwise):
                try loop(variable, elements(of: evaluate(sequence, scope)), body, otherwise, &scope, &output)
            case .include(let expression, let isOptional):
                let name = text(evaluate(expression, scope), escapes: false)
                guard let included = try find(name) else {
                    if isOptional { continue }
                    throw TemplateError(scope.template, "there is no template \(name)")
                }
                let escapes = scope.escapes
                scope.escapes = included.escapes
                try render(included, &scope, &output)
                scope.escapes = escapes
            }
        }
    }

    private func loop(
        _ variable: String, _ elements: [JSONValue], _ body: [Template.Node], _ otherwise: [Template.Node], _ scope: inout Scope,
        _ output: inout String
    ) throws(TemplateError) {
        guard !elements.isEmpty else { return try render(otherwise, &scope, &output) }
        let outer = (scope.values[variable], scope.values["loop"])
        for (index, element) in elements.enumerated() {
            scope.values[variable] = .plain(element)
            scope.values["loop"] = .plain([
                "index": .int(Int64(index + 1)), "index0": .int(Int64(index)), "first": .bool(index == 0),
                "last": .bool(index == elements.count - 1), "length": .int(Int64(elements.count)),
            ])
            try render(body, &scope, &output)
        }
        (scope.values[variable], scope.values["loop"]) = outer
    }

    // MARK: Expressions

    private func evaluate(_ expression: Template.Expression, _ scope: Scope) -> Value {
        switch expression {
        case .literal(let value): return .plain(value)
        case .variable(let name): return scope.values[name] ?? .undefined
        case .member(let object, let key): return member(evaluate(key, scope), of: evaluate(object, scope))
        case .part(let value, let start, let end):
            return part(
                of: evaluate(value, scope), from: start.map { evaluate($0, scope) }, to: end.map { evaluate($0, scope) })
        case .call(let value, let method, let arguments):
            return method.apply(to: evaluate(value, scope), arguments.map { evaluate($0, scope) }, self)
        case .filter(let value, let name, let arguments):
            return TemplateFilters.apply(name, evaluate(value, scope), arguments.map { evaluate($0, scope) }, self)
        case .test(let value, let name): return .plain(.bool(test(evaluate(value, scope), name)))
        case .not(let value): return .plain(.bool(!isTrue(evaluate(value, scope))))
        case .and(let left, let right):
            let value = evaluate(left, scope)
            return isTrue(value) ? evaluate(right, scope) : value
        case .or(let left, let right):
            let value = evaluate(left, scope)
            return isTrue(value) ? value : evaluate(right, scope)
        case .choice(let condition, let value, let otherwise):
            return evaluate(isTrue(evaluate(condition, scope)) ? value : otherwise, scope)
        case .comparison(let left, let comparison, let right):
            return .plain(.bool(compare(json(evaluate(left, scope)), comparison, json(evaluate(right, scope)))))
        case .concatenation(let left, let right):
            let (left, right) = (evaluate(left, scope), evaluate(right, scope))
            if case .plain(.int(let a)) = left, case .plain(.int(let b)) = right { return .plain(.int(a &+ b)) }
            return .plain(.string(text(left, escapes: false) + text(right, escapes: false)))
        }
    }

    private func member(_ key: Value, of value: Value) -> Value {
        guard case .plain(let object) = value, case .plain(let key) = key else { return .undefined }
        if let name = key.string, let member = object[name] { return .plain(member) }
        guard let index = key.int else { return .undefined }
        let elements = object.string.map { $0.map { JSONValue.string(String($0)) } } ?? object.array ?? []
        let position = index < 0 ? Int64(elements.count) + index : index
        return (0..<Int64(elements.count)).contains(position) ? .plain(elements[Int(position)]) : .undefined
    }

    /// `value[start:end]`, of a list or a text; positions below zero count from the end.
    private func part(of value: Value, from start: Value?, to end: Value?) -> Value {
        guard let whole = json(value) else { return .undefined }
        let elements = whole.string.map { $0.map { JSONValue.string(String($0)) } } ?? whole.array ?? []
        func position(_ bound: Value?) -> Int? {
            guard let index = bound.flatMap(json)?.int else { return nil }
            let count = Int64(elements.count)
            return Int(min(max(index < 0 ? count + max(index, -count) : index, 0), count))
        }
        let first = position(start) ?? 0, last = position(end) ?? elements.count
        let part = first < last ? Array(elements[first..<last]) : []
        return .plain(whole.string == nil ? .array(part) : .string(part.compactMap(\.string).joined()))
    }

    private func test(_ value: Value, _ name: String) -> Bool {
        switch (name, value) {
        case ("defined", .undefined), ("none", .undefined): false
        case ("defined", _): true
        case ("undefined", .undefined): true
        case ("none", .plain(.null)): true
        case ("string", .plain(.string)), ("string", .markup): true
        case ("mapping", .plain(.object)): true
        case ("sequence", .plain(.array)): true
        case ("number", .plain(.int)), ("number", .plain(.double)): true
        default: false
        }
    }

    private func compare(_ left: JSONValue?, _ comparison: Template.Comparison, _ right: JSONValue?) -> Bool {
        switch comparison {
        case .equal: return left == right
        case .different: return left != right
        case .contained:
            switch right {
            case .array(let elements)?: return left.map(elements.contains) ?? false
            case .object(let object)?: return left?.string.map { object[$0] != nil } ?? false
            case .string(let text)?: return left?.string.map { text.contains($0) } ?? false
            default: return false
            }
        case .less, .atMost, .greater, .atLeast:
            guard let left = left?.double, let right = right?.double else { return false }
            return switch comparison {
            case .less: left < right
            case .atMost: left <= right
            case .greater: left > right
            default: left >= right
            }
        }
    }

    // MARK: Values

    func json(_ value: Value) -> JSONValue? {
        switch value {
        case .undefined: nil
        case .plain(let value): value
        case .markup(let text): .string(text)
        }
    }

    func isTrue(_ value: Value) -> Bool {
        switch json(value) {
        case nil, .null?: false
        case .bool(let value)?: value
        case .int(let value)?: value != 0
        case .double(let value)?: value != 0
        case .string(let text)?: !text.isEmpty
        case .array(let elements)?: !elements.isEmpty
        case .object(let object)?: !object.isEmpty
        }
    }

    func elements(of value: Value) -> [JSONValue] {
        switch json(value) {
        case .array(let elements)?: elements
        case .object(let object)?: object.map { .string($0.key.string) }
        default: []
        }
    }

    func text(_ value: Value, escapes: Bool) -> String {
        switch value {
        case .undefined, .plain(.null): ""
        case .markup(let text): text
        case .plain(.string(let text)): escapes ? TemplateFilters.escape(text) : text
        case .plain(.bool(let value)): value ? "True" : "False"
        case .plain(let value):
            escapes
                ? TemplateFilters.escape(String(decoding: value.canonicalBytes, as: UTF8.self))
                : String(decoding: value.canonicalBytes, as: UTF8.self)
        }
    }
}
