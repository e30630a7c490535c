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
        pairs.compactMap { matches($0.key, name) ? decode($0.value) : nil }
    }

    /// The raw `key=value` pairs in order; a key without `=` has an empty value.
    package var pairs: Pairs { Pairs(raw) }

    package struct Pairs: Sequence, IteratorProtocol {
        private var rest: Substring.UTF8View

        fileprivate init(_ raw: Substring) { rest = raw.utf8 }

        package mutating func next() -> (key: Substring, value: Substring)? {
            while !rest.isEmpty {
                let pair = rest.prefix { $0 != UInt8(ascii: "&") }
                rest = rest[pair.endIndex...].dropFirst()
                if pair.isEmpty { continue }
                let key = pair.prefix { $0 != UInt8(ascii: "=") }
                return (Substring(key), Substring(pair[key.endIndex...].dropFirst()))
            }
            return nil
        }
    }

    private func matches(_ key: Substring, _ name: String) -> Bool {
        if key.utf8.elementsEqual(name.utf8) { return true }
        guard key.utf8.contains(where: { $0 == UInt8(ascii: "%") || $0 == UInt8(ascii: "+") }) else { return false }
        return decode(key)?.utf8.elementsEqual(name.utf8) ?? false
    }

    private func decode(_ component: Substring) -> String? { PercentDecoding.decode(component.utf8, plusIsSpace: true) }
}
