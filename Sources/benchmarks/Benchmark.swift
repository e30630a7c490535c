// How a piece of code is measured: processor time per call, the best of several loops.

import Glibc

/// Measures small pieces of code and prints a line for each.
struct Benchmark {
    /// Only benchmarks whose name contains this are run.
    let wanted: String?

    /// The loops that one figure is the best of: the others were disturbed by something else.
    private static let loops = 5

    /// Prints the processor time of one call of `body` in nanoseconds.
    ///
    /// - Parameter body: returns some number that depends on its work, so that the work cannot be optimized away.
    func measure(_ name: String, calls: Int = 100_000, _ body: () throws -> Int) rethrows {
        if let wanted, !name.contains(wanted) { return }
        var best = Double.infinity
        var result = 0
        for _ in 0..<Benchmark.loops {
            let start = Benchmark.processorTime
            for _ in 0..<calls { result &+= try body() }
            best = min(best, (Benchmark.processorTime - start) / Double(calls))
        }
        let nanoseconds = String(Int(best * 1e9))
        // The result is looked at, which is all that the optimizer asks for.
        let mark = result == .min ? "!" : ""
        print(String(repeating: " ", count: max(0, 9 - nanoseconds.count)) + "\(nanoseconds) ns  \(name)\(mark)")
    }

    /// Seconds of processor time that this process has used.
    private static var processorTime: Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
