// What mails look like.

import Homeserver
import MatrixCore
import Testing

@Suite("Mails")
struct MailMessageTests {
    private func message(from: String = "Our server <noreply@example.org>", subject: String = "Hello", text: String = "text") throws
        -> [String]
    {
        var message = MailMessage(
            from: from, to: try EmailAddress("alice@example.org"), subject: subject, text: text, html: "<p>text</p>",
            date: Timestamp(milliseconds: 1_700_000_000_000), domain: "test")
        (message.id, message.boundary) = ("id@test", "edge")
        return String(decoding: message.bytes, as: UTF8.self).split(separator: "\r\n", omittingEmptySubsequences: false).map(String.init)
    }

    @Test("a mail has its head, and two forms in base 64")
    func whole() throws {
        #expect(
            try message() == [
                "From: Our server <noreply@example.org>", "To: alice@example.org", "Subject: Hello",
                "Date: Tue, 14 Nov 2023 22:13:20 +0000", "Message-ID: <id@test>", "MIME-Version: 1.0",
                "Content-Type: multipart/alternative; boundary=\"edge\"", "Auto-Submitted: auto-generated", "X-Auto-Response-Suppress: All",
                "", "--edge", "Content-Type: text/plain; charset=\"utf-8\"", "Content-Transfer-Encoding: base64", "", "dGV4dA==", "--edge",
                "Content-Type: text/html; charset=\"utf-8\"", "Content-Transfer-Encoding: base64", "", "PHA+dGV4dDwvcD4=", "--edge--", "",
            ])
    }

    @Test("what is not ASCII in the head is encoded, and a line stays a line")
    func head() throws {
        #expect(try message(subject: "Grüße")[2] == "Subject: =?utf-8?b?R3LDvMOfZQ==?=")
        #expect(try message(subject: "a\r\nBcc: eve@example.org")[2] == "Subject: a  Bcc: eve@example.org")
        #expect(try message(from: "Ünser <a@b>")[0] == "From: =?utf-8?b?w5xuc2Vy?= <a@b>")
        #expect(try message(from: "a@b")[0] == "From: a@b")
        #expect(try message(from: "A, B <a@b>")[0] == "From: =?utf-8?b?QSwgQg==?= <a@b>")
    }

    @Test(
        "no line is longer than a mail server has to take")
    func lines() throws {
        let lines = try message(subject: String(repeating: "ü", count: 300), text: String(repeating: "x", count: 5000))
        #expect(lines.allSatisfy { $0.utf8.count <= 78 })
    }

    @Test("placeholders are filled as Python does it")
    func placeholders() {
        let values = ["app": "Den", "server_name": "example.org"]
        #expect(PercentTemplate.fill("[%(server_name)s] %(app)s 100%% %(other)s %d %", values) == "[example.org] Den 100% %(other)s %d %")
    }
}
