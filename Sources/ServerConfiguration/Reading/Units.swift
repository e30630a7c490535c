// Sizes and durations as Synapse writes them.

package enum Units {
    /// Bytes: a number, or one with `K`, `M`, `G` or `T` (powers of 1024).
    package static func bytes(_ node: ConfigNode) -> Int? {
        quantity(node, units: ["K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40])
    }

    /// A duration: milliseconds, or a number with `s`, `m`, `h`, `d`, `w` or `y` (365 days).
    package static func duration(_ node: ConfigNode) -> Duration? {
        let second = 1000
        let day = 86_400 * second
        return quantity(
            node, units: ["s": second, "m": 60 * second, "h": 3600 * second, "d": day, "w": 7 * day, "y": 365 * day]
        ).map { .milliseconds($0) }
    }

    private static func quantity(_ node: ConfigNode, units: [Character: Int]) -> Int? {
        switch node.value {
        case .int(let value): return value >= 0 ? value : nil
        case .string(let text):
            guard let last = text.last else { return nil }
            let factor = units[last]
            let digits = factor == nil ? Substring(text) : text.dropLast()
            guard let value = Int(trim(digits)), value >= 0 else { return nil }
            let (product, overflow) = value.multipliedReportingOverflow(by: factor ?? 1)
            return overflow ? nil : product
        default: return nil
        }
    }

    private static func trim(_ text: Substring) -> Substring {
        var text = text
        while text.first == " " { text = text.dropFirst() }
        while text.last == " " { text = text.dropLast() }
        return text
    }
}
