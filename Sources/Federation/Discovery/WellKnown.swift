// What `/.well-known/matrix/server` says and for how long. Server-Server API §Resolving server names, step 3.

import MatrixCore

/// A valid answer's lifetime by its headers, in milliseconds. RFC 9111 §4.2.1, as far as it matters here.
package enum CacheLifetime {
    /// What holds where the headers say nothing.
    static let usual: Int64 = 24 * hour
    static let longest: Int64 = 48 * hour
    static let shortest: Int64 = 5 * 60_000
    private static let hour: Int64 = 3_600_000

    package static func of(_ headers: [(name: String, value: String)], at now: Timestamp) -> Int64 {
        min(max(stated(headers, now) ?? usual, shortest), longest)
    }

    private static func stated(_ headers: [(name: String, value: String)], _ now: Timestamp) -> Int64? {
        var maxAge: Int64?
        for directive in values("cache-control", headers).flatMap({ $0.split(separator: ",") }) {
            let parts = directive.split(separator: "=", maxSplits: 1).map { trimmed($0).lowercased() }
            switch parts.first {
            case "no-store", "no-cache": return 0
            case "max-age" where parts.count == 2:
                let digits = parts[1].filter { $0 != "\"" }
                guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { continue }
                // A number beyond all numbers is just long.
                maxAge = min(Int64(digits) ?? longest, longest / 1000) * 1000
            default: continue
            }
        }
        if let maxAge { return maxAge }
        guard let expires = values("expires", headers).first else { return nil }
        // What is no date, such as "0", has expired.
        return HTTPDate.parse(expires).map { $0.milliseconds(since: now) } ?? 0
    }

    private static func values(_ name: String, _ headers: [(name: String, value: String)]) -> [String] {
        headers.filter { $0.name.lowercased() == name }.map(\.value)
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text
        while text.first == " " || text.first == "\t" { text = text.dropFirst() }
        while text.last == " " || text.last == "\t" { text = text.dropLast() }
        return text
    }
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`: the one form that is sent. RFC 9110 §5.6.7.
package enum HTTPDate {
    package static func parse(_ text: String) -> Timestamp? {
        let words = text.split(separator: " ")
        guard words.count == 6, words[5] == "GMT", let day = number(words[1], 1...31), let year = number(words[3], 1...9999),
            let month = months.firstIndex(of: String(words[2]))
        else { return nil }
        let clock = words[4].split(separator: ":", omittingEmptySubsequences: false)
        guard clock.count == 3, let hour = number(clock[0], 0...23), let minute = number(clock[1], 0...59),
            let second = number(clock[2], 0...60)
        else { return nil }
        let seconds = ((days(year: year, month: month + 1, day: day) * 24 + hour) * 60 + minute) * 60 + second
        return Timestamp(milliseconds: Int64(seconds) * 1000)
    }

    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

    private static func number(_ text: Substring, _ range: ClosedRange<Int>) -> Int? {
        guard text.count <= 4, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let value = Int(text), range.contains(value) else {
            return nil
        }
        return value
    }

    /// Days since 1970-01-01: years begin in March here, so that the leap day is the last.
    private static func days(year: Int, month: Int, day: Int) -> Int {
        let year = month <= 2 ? year - 1 : year
        let (era, yearOfEra) = (year / 400, year % 400)
        let dayOfYear = (153 * ((month + 9) % 12) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }
}

/// What is remembered of one host's `.well-known`.
package struct WellKnownEntry: Sendable, Hashable {
    package enum Outcome: Sendable, Hashable {
        /// Good for so many milliseconds.
        case valid(ServerName, lifetime: Int64)
        case invalid
    }

    /// nil: there is none.
    package private(set) var delegated: ServerName?
    /// From then on it is asked again.
    package private(set) var refreshAt: Timestamp
    /// Until then the last valid answer holds, when there is no new one.
    private var holdsUntil: Timestamp
    /// How often in a row there was no valid answer.
    private var failures = 0

    private static let firstPause: Int64 = 2 * 60_000
    private static let longestPause: Int64 = 3_600_000

    /// - Parameter previous: what was remembered until now.
    package init(_ outcome: Outcome, after previous: WellKnownEntry?, at now: Timestamp) {
        switch outcome {
        case .valid(let name, let lifetime):
            delegated = name
            refreshAt = now.advanced(byMilliseconds: lifetime)
            // A server that had one an hour ago probably still means it.
            holdsUntil = refreshAt.advanced(byMilliseconds: Self.longestPause)
        case .invalid:
            failures = (previous?.failures ?? 0) + 1
            holdsUntil = previous?.holdsUntil ?? now
            delegated = now < holdsUntil ? previous?.delegated : nil
            refreshAt = now.advanced(byMilliseconds: min(Self.firstPause << Int64(min(failures - 1, 10)), Self.longestPause))
        }
    }
}

extension WellKnownEntry.Outcome {
    /// From the answer to the last request.
    package init(status: Int, headers: [(name: String, value: String)], body: [UInt8], at now: Timestamp) {
        self = .invalid
        guard status == 200, let document = try? JSONDocument(parsing: body, limits: .request),
            let name = document.root["m.server"]?.string, let server = ServerName(valid: name)
        else { return }
        self = .valid(server, lifetime: CacheLifetime.of(headers, at: now))
    }
}
