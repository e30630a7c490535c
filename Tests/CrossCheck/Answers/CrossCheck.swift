// MatrixCore's side of the cross-check with Synapse: reads questions from standard input, answers on standard output.
//
// Each line is a JSON array of questions, each answered by one line with the array of their answers. The questions are put
// by Tests/CrossCheck/crosscheck.py, which also knows Synapse's answers; nothing here decides anything itself.

import Glibc
import MatrixCore

@main
struct CrossCheck {
    static func main() throws {
        var lines = LineReader()
        let respondent = Respondent()
        while let line = lines.next() {
            let questions = try JSONDocument(parsing: line).root
            let answers = questions.elements.map { JSONValue.object(respondent.answer($0)) }
            try write(JSONValue.array(answers).canonicalBytes + [UInt8(ascii: "\n")])
        }
    }

    private static func write(_ bytes: [UInt8]) throws {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { Glibc.write(STDOUT_FILENO, $0.baseAddress.map { $0 + written }, bytes.count - written) }
            guard count > 0 else { throw Unwritten(errno: errno) }
            written += count
        }
    }

    /// The reader of the answers is gone.
    private struct Unwritten: Error {
        let errno: Int32
    }
}

/// The lines of standard input as bytes.
private struct LineReader {
    private var buffer: [UInt8] = []
    /// What of the buffer has been searched for the end of a line.
    private var searched = 0
    private var chunk = [UInt8](repeating: 0, count: 1 << 16)

    /// The next line without its end; `nil` at the end of the input.
    mutating func next() -> [UInt8]? {
        while true {
            if let end = buffer[searched...].firstIndex(of: UInt8(ascii: "\n")) {
                let line = Array(buffer[..<end])
                buffer.removeSubrange(...end)
                searched = 0
                return line
            }
            searched = buffer.count
            let count = chunk.withUnsafeMutableBytes { Glibc.read(STDIN_FILENO, $0.baseAddress, $0.count) }
            guard count > 0 else { return nil }
            buffer += chunk[..<count]
        }
    }
}
