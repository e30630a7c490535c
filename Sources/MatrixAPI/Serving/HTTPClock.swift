// The `Date` header, formatted once a second. RFC 9110 §6.6.1.

import Glibc
import Synchronization

/// The current second as `Sun, 06 Nov 1994 08:49:37 GMT`, 29 bytes.
package final class HTTPClock: Sendable {
    static let shared = HTTPClock()

    private struct Formatted {
        var second: Int = -1
        var bytes: [UInt8] = []
    }

    private let formatted = Mutex(Formatted())

    var date: [UInt8] {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME_COARSE, &now)
        let second = now.tv_sec
        return formatted.withLock {
            if $0.second != second { $0 = Formatted(second: second, bytes: Array(Self.format(second).utf8)) }
            return $0.bytes
        }
    }

    package static func format(_ second: Int) -> String {
        var time = time_t(second)
        var parts = tm()
        gmtime_r(&time, &parts)
        let day = days[Int(parts.tm_wday)], month = months[Int(parts.tm_mon)]
        return
            "\(day), \(two(parts.tm_mday)) \(month) \(Int(parts.tm_year) + 1900) \(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec)) GMT"
    }

    private static func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
    private static let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
}
