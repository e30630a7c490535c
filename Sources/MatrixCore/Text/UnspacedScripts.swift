// Scripts that are written without spaces between words.

extension Unicode.Scalar {
    /// Ideographs, kana, Hangul, Thai, Lao, Khmer and Burmese: where a word ends is not to be seen, or words grow by what is joined to them.
    package var isOfUnspacedScript: Bool {
        switch value {
        case 0x0E00...0x0EFF, 0x1000...0x109F, 0x1780...0x17FF, 0x3040...0x30FF, 0x3400...0x9FFF, 0xAC00...0xD7AF, 0xF900...0xFAFF,
            0x20000...0x3FFFF:
            true
        default: false
        }
    }
}
