// What can be called on a value in a template: Python's methods of texts and mappings, as `{{ user.email.split('@')[0] }}` has them.

import MatrixCore

enum TemplateMethod: String, Sendable, CaseIterable {
    case capitalize, endswith, get, items, join, keys, lower, lstrip, removeprefix, removesuffix, replace, rstrip, split, startswith, strip
    case title, upper, values

    func apply(
        to value: TemplateRenderer.Value, _ arguments: [TemplateRenderer.Value], _ renderer: TemplateRenderer
    ) -> TemplateRenderer.Value {
        switch renderer.json(value) {
        case .string(let text)?: return apply(to: text, arguments, renderer)
        case .object(let object)?:
            switch self {
            case .get:
                let found = arguments.first.flatMap { object[renderer.text($0, escapes: false)] }
                return found.map { .plain($0) } ?? (arguments.count > 1 ? arguments[1] : .plain(.null))
            case .keys: return .plain(.array(object.keys.map { .string($0.string) }))
            case .values: return .plain(.array(object.map(\.value)))
            case .items: return .plain(.array(object.map { [.string($0.key.string), $0.value] }))
            default: return .undefined
            }
        default: return .undefined
        }
    }

    private func apply(
        to text: String, _ arguments: [TemplateRenderer.Value], _ renderer: TemplateRenderer
    ) -> TemplateRenderer.Value {
        func argument(_ index: Int) -> String? {
            arguments.indices.contains(index) ? renderer.text(arguments[index], escapes: false) : nil
        }
        switch self {
        case .lower: return .plain(.string(text.lowercased()))
        case .upper: return .plain(.string(text.uppercased()))
        case .capitalize: return .plain(.string(text.prefix(1).uppercased() + text.dropFirst().lowercased()))
        case .title: return .plain(.string(Self.title(text)))
        case .strip: return .plain(.string(Self.strip(text, argument(0), start: true, end: true)))
        case .lstrip: return .plain(.string(Self.strip(text, argument(0), start: true, end: false)))
        case .rstrip: return .plain(.string(Self.strip(text, argument(0), start: false, end: true)))
        case .startswith: return .plain(.bool(text.hasPrefix(argument(0) ?? "")))
        case .endswith: return .plain(.bool(text.hasSuffix(argument(0) ?? "")))
        case .removeprefix:
            let prefix = argument(0) ?? ""
            return .plain(.string(text.hasPrefix(prefix) ? String(text.dropFirst(prefix.count)) : text))
        case .removesuffix:
            let suffix = argument(0) ?? ""
            return .plain(.string(text.hasSuffix(suffix) ? String(text.dropLast(suffix.count)) : text))
        case .replace:
            guard let old = argument(0), !old.isEmpty else { return .plain(.string(text)) }
            return .plain(.string(text.split(separator: old, omittingEmptySubsequences: false).joined(separator: argument(1) ?? "")))
        case .split: return .plain(.array(Self.split(text, argument(0), limit: arguments.dropFirst().first.flatMap(renderer.json)?.int)))
        case .join:
            let parts = arguments.first.map(renderer.elements) ?? []
            return .plain(.string(parts.map { renderer.text(.plain($0), escapes: false) }.joined(separator: text)))
        case .get, .items, .keys, .values: return .undefined
        }
    }

    /// Without a separator, at runs of white space.
    private static func split(_ text: String, _ separator: String?, limit: Int64?) -> [JSONValue] {
        let limit = limit.flatMap { $0 < 0 ? nil : Int(exactly: $0) } ?? .max
        guard let separator, !separator.isEmpty else {
            return text.split(maxSplits: limit, whereSeparator: \.isWhitespace).map { .string(String($0)) }
        }
        return text.split(separator: separator, maxSplits: limit, omittingEmptySubsequences: false).map { .string(String($0)) }
    }

    /// Each run of letters with a capital at its beginning.
    private static func title(_ text: String) -> String {
        var result = "", isWithin = false
        for character in text {
            result += character.isLetter ? (isWithin ? character.lowercased() : character.uppercased()) : String(character)
            isWithin = character.isLetter
        }
        return result
    }

    private static func strip(_ text: String, _ characters: String?, start: Bool, end: Bool) -> String {
        func goes(_ character: Character) -> Bool { characters.map { $0.contains(character) } ?? character.isWhitespace }
        var rest = Substring(text)
        if start { rest = rest.drop(while: goes) }
        if end { while let last = rest.last, goes(last) { rest = rest.dropLast() } }
        return String(rest)
    }
}
