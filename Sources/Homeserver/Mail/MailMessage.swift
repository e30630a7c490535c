// A mail as it is sent: text and HTML side by side. RFC 5322; RFC 2045 to 2047 (MIME).

import Glibc
import MatrixCore

/// A mail with all that its head says.
package struct MailMessage: Sendable {
    /// E.g. `Our server <noreply@example.com>`.
    package var from: String
    package var to: EmailAddress
    package var subject: String
    package var text: String
    package var html: String
    package var date: Timestamp
    /// Without its angle brackets.
    package var id: String
    /// Separates the two forms; occurs in neither.
    package var boundary: String

    package init(from: String, to: EmailAddress, subject: String, text: String, html: String, date: Timestamp, domain: String) {
        self.from = from
        self.to = to
        self.subject = subject
        self.text = text
        self.html = html
        self.date = date
        id = "\(SessionToken.randomLetters(24))@\(domain)"
        boundary = "=_\(SessionToken.randomLetters(24))"
    }

    /// The bytes that are given to the mail server.
    package var bytes: [UInt8] {
        var lines = [
            "From: \(Self.mailbox(from))",
            "To: \(to.text)",
            "Subject: \(Self.encodedWord(subject))",
            "Date: \(Self.date(date))",
            "Message-ID: <\(id)>",
            "MIME-Version: 1.0",
            "Content-Type: multipart/alternative; boundary=\"\(boundary)\"",
            // RFC 3834: nobody is to answer that they are on holiday.
            "Auto-Submitted: auto-generated",
            "X-Auto-Response-Suppress: All",
            "",
        ]
        for (kind, content) in [("plain", text), ("html", html)] {
            lines += [
                "--\(boundary)", "Content-Type: text/\(kind); charset=\"utf-8\"", "Content-Transfer-Encoding: base64", "",
            ]
            lines += Self.base64Lines(content)
        }
        lines += ["--\(boundary)--", ""]
        return Array(lines.joined(separator: "\r\n").utf8)
    }

    // MARK: The head

    /// `NAME <ADDRESS>`, with a name of any characters.
    static func mailbox(_ text: String) -> String {
        let text = oneLine(text)
        guard let open = text.lastIndex(of: "<") else { return text }
        var name = text[..<open]
        while name.last == " " { name = name.dropLast() }
        let address = text[open...]
        guard !name.isEmpty else { return String(address) }
        // What is in quotes already, or needs none, is left.
        if name.allSatisfy({ $0.isASCII }), name.hasPrefix("\"") || name.allSatisfy({ $0.isLetter || $0.isNumber || " -_".contains($0) }) {
            return "\(name) \(address)"
        }
        return "\(encodedWord(String(name), always: true)) \(address)"
    }

    /// What a word holds: with its frame and the name of the longest field before it, a line stays below 76 characters.
    private static let encodedWordBytes = 39

    /// RFC 2047: text of any characters, in words of which each has a line of its own.
    static func encodedWord(_ text: String, always: Bool = false) -> String {
        let text = oneLine(text)
        if !always, text.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) { return text }
        var words: [String] = []
        var bytes: [UInt8] = []
        for scalar in text.unicodeScalars {
            let next = Array(String(scalar).utf8)
            if bytes.count + next.count > encodedWordBytes {
                words.append("=?utf-8?b?\(padded(bytes))?=")
                bytes = []
            }
            bytes += next
        }
        words.append("=?utf-8?b?\(padded(bytes))?=")
        return words.joined(separator: "\r\n ")
    }

    /// What comes from a configuration or a template must not begin a line of its own.
    private static func oneLine(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? " " : $0 }))
    }

    /// RFC 5322 §3.3, in UTC.
    static func date(_ time: Timestamp) -> String {
        var seconds = time_t(time.milliseconds / 1000)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "\(days[Int(parts.tm_wday)]), \(two(parts.tm_mday)) \(months[Int(parts.tm_mon)]) \(parts.tm_year + 1900) "
            + "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec)) +0000"
    }

    // MARK: The body

    private static func base64Lines(_ text: String) -> [String] {
        let encoded = Array(padded(Array(text.utf8)).utf8)
        return stride(from: 0, to: encoded.count, by: 76).map { String(decoding: encoded[$0..<min($0 + 76, encoded.count)], as: UTF8.self) }
    }

    private static func padded(_ bytes: [UInt8]) -> String {
        let encoded = Base64.encode(bytes)
        return encoded + String(repeating: "=", count: (4 - encoded.utf8.count % 4) % 4)
    }
}
