// Unicode normalization form KC, which Synapse applies to passwords before it hashes them: "²" typed on one
// keyboard and "2" on another are one password, and so are composed and decomposed accents. Unicode Annex 15.

@_spi(_Unicode) import Swift

/// Brings passwords into the form that is hashed.
package enum PasswordNormalization {
    /// `text` in form KC. ASCII is its own form, at no cost.
    package static func nfkc(_ text: String) -> String {
        if text.utf8.allSatisfy({ $0 < 0x80 }) { return text }
        var decomposed = String.UnicodeScalarView()
        for scalar in text._nfd {
            if let replacement = compatibility[scalar.value] {
                decomposed.append(contentsOf: replacement)
            } else {
                decomposed.append(scalar)
            }
        }
        // The replacements are decomposed themselves; composition puts the whole in canonical order again.
        var composed = String.UnicodeScalarView()
        for scalar in String(decomposed)._nfc { composed.append(scalar) }
        return String(composed)
    }

    /// The full compatibility decomposition of each scalar that has one of its own, read from the table on first use.
    private static let compatibility: [UInt32: [Unicode.Scalar]] = {
        var decompositions: [UInt32: [Unicode.Scalar]] = [:]
        for line in compatibilityTable.utf8.split(separator: UInt8(ascii: "\n")) {
            var next: UInt32 = 0
            for (index, field) in line.split(separator: UInt8(ascii: " ")).enumerated() {
                let scalars = field.split(separator: UInt8(ascii: "+")).compactMap(hexadecimal)
                if index == 0 {
                    next = scalars.first ?? 0
                } else {
                    decompositions[next] = scalars.compactMap(Unicode.Scalar.init)
                    next += 1
                }
            }
        }
        return decompositions
    }()

    private static func hexadecimal(_ digits: Substring.UTF8View.SubSequence) -> UInt32? {
        UInt32(Substring(digits), radix: 16)
    }
}
