// The table that a run prints: what was measured, how it stands to a baseline of the same run, and whether that is enough.

import Glibc

/// What a figure has to reach.
struct Goal {
    let text: String
    let isMet: Bool

    /// A ratio to the baseline, of time to time.
    static func ratio(atMost limit: Double, _ ratio: Double) -> Goal {
        Goal(text: "<= \(Figure.decimal(limit)) x", isMet: ratio <= limit)
    }

    static func time(atMost limit: Double, _ seconds: Double) -> Goal {
        Goal(text: "<= \(Figure.time(limit))", isMet: seconds <= limit)
    }

    /// - Parameter rate: bytes a second.
    static func rate(atLeast limit: Double, _ rate: Double) -> Goal {
        Goal(text: ">= \(Figure.rate(limit))", isMet: rate >= limit)
    }

    /// Met by either of the two.
    static func either(_ a: Goal, _ b: Goal) -> Goal {
        Goal(text: "\(a.text) or \(b.text)", isMet: a.isMet || b.isMet)
    }

    /// How many times faster than the baseline.
    static func speedup(atLeast limit: Double, _ speedup: Double) -> Goal {
        Goal(text: ">= \(Figure.decimal(limit)) x", isMet: speedup >= limit)
    }
}

/// Gathers rows, prints each as it comes, and remembers which goals were missed.
struct Report {
    /// Only groups whose name contains this are run.
    let wanted: String?
    private(set) var missed: [String] = []

    init(wanted: String?) {
        self.wanted = wanted
        print(Self.line("", "measured", "baseline", "ratio", "goal"))
    }

    /// Runs `body`, which adds the rows of one subject, if that subject is wanted.
    mutating func group(_ name: String, _ body: (inout Report) throws -> Void) rethrows {
        if let wanted, !name.contains(wanted) { return }
        print("\n\(name)")
        try body(&self)
    }

    /// - Parameters:
    ///   - figure: with its unit: see ``Figure``.
    ///   - baseline: what it is compared with, with a figure.
    ///   - ratio: to the baseline.
    mutating func row(_ name: String, _ figure: String, baseline: String = "", ratio: Double? = nil, goal: Goal? = nil) {
        let verdict = goal.map { "\($0.text)  \($0.isMet ? "met" : "MISSED")" } ?? ""
        print(Self.line("  " + name, figure, baseline, ratio.map { "\(Figure.decimal($0)) x" } ?? "", verdict))
        // Rows are to be seen as they come, also through a pipe.
        fflush(nil)
        if let goal, !goal.isMet { missed.append(name) }
    }

    private static func line(_ name: String, _ figure: String, _ baseline: String, _ ratio: String, _ goal: String) -> String {
        let columns = [
            name.padded(to: 56), figure.padded(to: 11, fromLeft: true), "  " + baseline.padded(to: 32), ratio.padded(to: 8, fromLeft: true),
        ]
        return columns.joined() + "   " + goal
    }
}

/// Numbers with their units.
enum Figure {
    /// - Parameter seconds: of one call.
    static func time(_ seconds: Double) -> String {
        switch seconds {
        case ..<1e-6: "\(decimal(seconds * 1e9)) ns"
        case ..<1e-3: "\(decimal(seconds * 1e6)) µs"
        case ..<1: "\(decimal(seconds * 1e3)) ms"
        default: "\(decimal(seconds)) s"
        }
    }

    /// - Parameter bytesPerSecond: shown in millions.
    static func rate(_ bytesPerSecond: Double) -> String { "\(decimal(bytesPerSecond / 1e6)) MB/s" }

    /// Three digits, or all of those before the point.
    static func decimal(_ value: Double) -> String {
        let places = value >= 100 ? 0 : value >= 10 ? 1 : value >= 0.1 ? 2 : 4
        let scale = (0..<places).reduce(1) { scale, _ in scale * 10 }
        let scaled = Int((value * Double(scale)).rounded())
        let fraction = "\(scaled % scale)"
        guard places > 0, scaled % scale != 0 else { return "\(scaled / scale)" }
        return "\(scaled / scale)." + String(repeating: "0", count: places - fraction.count) + fraction
    }
}

extension String {
    fileprivate func padded(to width: Int, fromLeft: Bool = false) -> String {
        let padding = String(repeating: " ", count: max(0, width - count))
        return fromLeft ? padding + self : self + padding
    }
}
