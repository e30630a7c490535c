// A query string, read where it stands: requests have few parameters, so each look-up scans.

import MatrixCore

package struct QueryString {
    private let raw: Substring

    package init(_ raw: Substring) { self.raw = raw }

    package func first(_ name: String) -> String? {
        for (key, value) in pairs where matches(key, name) { return decode(value) }
        return nil
    }

    package func all(_ name: String) -> [String] {
        pairs.compactMap { matches($0.0, name) ? decode($0.1) : nil }
    }

    /// The raw `key=value` pairs in order; a key without `=` has an empty value.
    package var pairs: [(Substring, Substring)] {
        raw.utf8.split(separator: UInt8(ascii: "&")).map { pair in
            guard let equals = pair.firstIndex(of: UInt8(ascii: "=")) else { return (Substring(pair), "") }
            return (Substring(pair[..<equals]), Substring(pair[pair.index(after: equals)...]))
        }
    }

    private func matches(_ key: Substring, _ name: String) -> Bool {
        if key.utf8.elementsEqual(name.utf8) { return true }
        guard key.utf8.contains(where: { $0 == UInt8(ascii: "%") || $0 == UInt8(ascii: "+") }) else { return false }
        return decode(key)?.utf8.elementsEqual(name.utf8) ?? false
    }

    private func decode(_ component: Substring) -> String? { PercentDecoding.decode(component.utf8, plusIsSpace: true) }
}
