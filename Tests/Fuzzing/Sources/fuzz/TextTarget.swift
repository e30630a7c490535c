// Small formats: globs, property paths, Base64, lines of a key file.

import MatrixCore

extension FuzzTarget {
    static let text = FuzzTarget(name: "text") { bytes in
        let text = String(decoding: bytes, as: UTF8.self)
        for alphabet in [Base64.Alphabet.standard, .urlSafe] {
            require(Base64.decode(Base64.encode(bytes, alphabet), alphabet) == bytes, "Base64 does not come back")
            if let decoded = Base64.decode(text, alphabet) {
                require(Base64.decode(Base64.encode(decoded, alphabet), alphabet) == decoded, "Base64 is not stable")
            }
        }
        if let key = accepted({ try SigningKey(fileLine: text) }) {
            require(accepted { try SigningKey(fileLine: key.fileLine).fileLine } == key.fileLine, "a key file does not come back")
        }
        require(!PropertyPath(text).names.isEmpty, "a path without names")
        checkGlob(text)
    }

    /// The first line is the pattern, the rest the text.
    private static func checkGlob(_ input: String) {
        let parts = input.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else { return }
        let (pattern, text) = (String(parts[0]), String(parts[1]))
        let glob = Glob(pattern)
        let subject = LowercasedText(text)
        let isMatch = glob.matches(subject)
        // What matches as a whole matches from one end of the text to the other, and those are word boundaries.
        if isMatch { require(glob.matchesWords(of: subject), "a match of the whole is no match of words") }
        require(Glob(literal: text).matches(subject), "a text does not match itself")
        guard pattern.utf8.count < 512, text.utf8.count < 512 else { return }
        require(isMatch == matches(scalars(pattern), scalars(text)), "a glob matches what it should not, or the reverse")
    }

    private static func scalars(_ text: String) -> ArraySlice<Unicode.Scalar> { Array(text.lowercased().unicodeScalars)[...] }

    /// The definition of a glob, a table of which prefix of the pattern matches which prefix of the text.
    private static func matches(_ pattern: ArraySlice<Unicode.Scalar>, _ text: ArraySlice<Unicode.Scalar>) -> Bool {
        var row = [true] + Array(repeating: false, count: text.count)
        for wanted in pattern {
            var next = [wanted == "*" && row[0]]
            for (index, scalar) in text.enumerated() {
                next.append(wanted == "*" ? row[index + 1] || next[index] : row[index] && (wanted == "?" || wanted == scalar))
            }
            row = next
        }
        return row[text.count]
    }
}
