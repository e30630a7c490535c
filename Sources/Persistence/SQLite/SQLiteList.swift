// Lists on SQLite, which has no arrays: JSON for `json_each`, and from `json_group_array`.

import MatrixCore

enum SQLiteList {
    static func json(_ ints: [Int64]) -> String {
        var text = "["
        for (index, value) in ints.enumerated() {
            if index > 0 { text += "," }
            text += String(value)
        }
        return text + "]"
    }

    static func json(_ texts: [String]) -> String {
        var bytes: [UInt8] = [UInt8(ascii: "[")]
        for (index, text) in texts.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            bytes.append(UInt8(ascii: "\""))
            for byte in text.utf8 {
                switch byte {
                case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                    bytes.append(UInt8(ascii: "\\"))
                    bytes.append(byte)
                case 0..<0x20:
                    bytes += "\\u00".utf8
                    bytes.append(hexDigits[Int(byte >> 4)])
                    bytes.append(hexDigits[Int(byte & 15)])
                default:
                    bytes.append(byte)
                }
            }
            bytes.append(UInt8(ascii: "\""))
        }
        bytes.append(UInt8(ascii: "]"))
        return String(decoding: bytes, as: UTF8.self)
    }

    private static let hexDigits = [UInt8]("0123456789abcdef".utf8)

    /// The integers of a JSON array that SQLite wrote; NULLs are left out.
    static func ints(_ json: [UInt8]) -> [Int64] {
        json.split { !($0 == UInt8(ascii: "-") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)) }
            .compactMap { Int64(String(decoding: $0, as: UTF8.self)) }
    }

    /// The texts of a JSON array that SQLite wrote; NULLs are left out.
    static func texts(_ json: [UInt8]) -> [String] {
        guard !json.isEmpty, let document = try? JSONDocument(parsing: json) else { return [] }
        return document.root.elements.compactMap { $0.string }
    }
}
