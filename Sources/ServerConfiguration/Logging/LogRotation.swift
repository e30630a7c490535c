// Old log files: named and thinned out as Python's rotating handlers do it.

import Glibc

enum LogRotation {
    /// Renames `path` to `path.2026-11-22`, and removes the oldest of such files beyond `keep` (0: keeps all, as Python does).
    static func daily(_ path: String, day: Int, keep: Int) {
        rename(path, "\(path).\(date(day))")
        guard keep > 0 else { return }
        let directory = ConfigurationReader.directory(of: path)
        let prefix = path.split(separator: "/").last.map { "\($0)." } ?? ""
        let old = (FileText.names(in: directory) ?? []).filter { $0.hasPrefix(prefix) && isDate($0.dropFirst(prefix.count)) }
        for name in old.dropLast(keep) { unlink("\(directory)/\(name)") }
    }

    /// Renames `path` to `path.1`, `path.1` to `path.2` and so on; the last falls away. With `keep` 0 the file just begins again.
    static func numbered(_ path: String, keep: Int) {
        guard keep > 0 else {
            unlink(path)
            return
        }
        for number in stride(from: keep - 1, through: 1, by: -1) { rename("\(path).\(number)", "\(path).\(number + 1)") }
        rename(path, "\(path).1")
    }

    /// A day since the epoch as `2026-11-22`.
    static func date(_ day: Int) -> String {
        var second = time_t(day * 86_400)
        var parts = tm()
        gmtime_r(&second, &parts)
        func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))"
    }

    private static func isDate(_ text: Substring) -> Bool {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        return parts.count == 3 && zip(parts, [4, 2, 2]).allSatisfy { $0.utf8.count == $1 && Int($0) != nil }
    }
}
