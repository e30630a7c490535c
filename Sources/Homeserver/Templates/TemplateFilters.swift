// What a template can make of a value: `{{ name | upper }}`.

import Federation
import Glibc
import MatrixCore

enum TemplateFilters {
    static let names: Set<String> = [
        "e", "escape", "safe", "upper", "lower", "capitalize", "trim", "default", "d", "length", "count", "join", "replace", "first",
        "last",
        "urlencode", "tojson", "string", "int", "format_ts", "localpart_from_email", "title", "mxc_to_http",
    ]

    static func apply(
        _ name: String, _ value: TemplateRenderer.Value, _ arguments: [TemplateRenderer.Value], _ renderer: TemplateRenderer
    ) -> TemplateRenderer.Value {
        let text = renderer.text(value, escapes: false)
        func argument(_ index: Int) -> String {
            arguments.indices.contains(index) ? renderer.text(arguments[index], escapes: false) : ""
        }
        switch name {
        case "e", "escape":
            if case .markup = value { return value }
            return .markup(escape(text))
        case "safe": return .markup(text)
        case "upper": return .plain(.string(text.uppercased()))
        case "lower": return .plain(.string(text.lowercased()))
        case "capitalize": return .plain(.string(text.prefix(1).uppercased() + text.dropFirst().lowercased()))
        case "trim": return .plain(.string(trim(text)))
        case "default", "d":
            if case .undefined = value { return arguments.first ?? .plain("") }
            return value
        case "length", "count":
            if case .plain(.string(let text)) = value { return .plain(.int(Int64(text.unicodeScalars.count))) }
            return .plain(.int(Int64(renderer.elements(of: value).count)))
        case "join":
            let parts = renderer.elements(of: value).map { renderer.text(.plain($0), escapes: false) }
            return .plain(.string(parts.joined(separator: argument(0))))
        case "replace":
            guard !argument(0).isEmpty else { return value }
            return .plain(.string(text.split(separator: argument(0), omittingEmptySubsequences: false).joined(separator: argument(1))))
        case "first": return renderer.elements(of: value).first.map { .plain($0) } ?? .undefined
        case "last": return renderer.elements(of: value).last.map { .plain($0) } ?? .undefined
        case "urlencode": return .plain(.string(PercentEncoding.encode(text)))
        case "tojson": return .markup(script(renderer.json(value) ?? .null))
        case "string": return .plain(.string(text))
        case "int":
            return .plain(.int(renderer.json(value)?.double.flatMap { Int64(exactly: $0.rounded(.towardZero)) } ?? Int64(text) ?? 0))
        case "format_ts": return .plain(.string(time(renderer.json(value)?.int ?? 0, format: argument(0))))
        case "title": return TemplateMethod.title.apply(to: .plain(.string(text)), [], renderer)
        case "mxc_to_http": return .plain(.string(thumbnail(text, width: argument(0), height: argument(1), method: argument(2))))
        case "localpart_from_email": return .plain(.string(String(text.prefix { $0 != "@" })))
        default: return value
        }
    }

    /// Where a picture of the media repository is to be had, as seen from a page of this server.
    private static func thumbnail(_ uri: String, width: String, height: String, method: String) -> String {
        guard uri.hasPrefix("mxc://") else { return "" }
        let method = method.isEmpty ? "crop" : method
        return "/_matrix/media/v1/thumbnail/\(uri.dropFirst(6))?width=\(width)&height=\(height)&method=\(method)"
    }

    /// What a text is in HTML, also within quotes.
    static func escape(_ text: String) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&#34;"
            case "'": escaped += "&#39;"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }

    /// JSON that can stand in a script of a page.
    private static func script(_ value: JSONValue) -> String {
        var escaped = ""
        for scalar in String(decoding: value.canonicalBytes, as: UTF8.self).unicodeScalars {
            switch scalar {
            case "<": escaped += "\\u003c"
            case ">": escaped += "\\u003e"
            case "&": escaped += "\\u0026"
            case "'": escaped += "\\u0027"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }

    private static func trim(_ text: String) -> String {
        var text = text.drop { $0.isWhitespace }
        while text.last?.isWhitespace == true { text = text.dropLast() }
        return String(text)
    }

    /// A time in milliseconds, by `strftime`'s format, in UTC.
    private static func time(_ milliseconds: Int64, format: String) -> String {
        var seconds = time_t(milliseconds / 1000)
        var parts = tm()
        guard gmtime_r(&seconds, &parts) != nil else { return "" }
        var buffer = [CChar](repeating: 0, count: 256)
        let length = strftime(&buffer, buffer.count, format, &parts)
        return String(decoding: buffer.prefix(length).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
