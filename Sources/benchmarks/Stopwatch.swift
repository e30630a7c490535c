// How a piece of code is measured: processor time per call, the best of several rounds.

import Glibc

/// Something to measure. It returns a number that depends on its work, so that the work cannot be optimized away.
typealias Work = () throws -> Int

enum Stopwatch {
    /// The rounds that a figure is the best of: the others were disturbed by something else.
    private static let rounds = 7
    /// Seconds that one round of one piece of work takes, about.
    private static let roundLength = 0.03

    /// Seconds of processor time of one call.
    static func seconds(_ work: @escaping Work) throws -> Double {
        try seconds([work])[0]
    }

    /// The same for several pieces of work, measured in turn, so that a slow moment of the machine meets all of them alike.
    static func seconds(_ works: [Work]) throws -> [Double] {
        let calls = try works.map { try callsPerRound($0) }
        var best = works.map { _ in Double.infinity }
        for _ in 0..<rounds {
            for index in works.indices {
                best[index] = min(best[index], try time(works[index], calls: calls[index]) / Double(calls[index]))
            }
        }
        return best
    }

    /// How many calls fill a round; finding it out warms the caches up.
    private static func callsPerRound(_ work: Work) throws -> Int {
        var calls = 1
        while true {
            let elapsed = try time(work, calls: calls)
            if elapsed > roundLength / 4 { return max(1, Int(Double(calls) * roundLength / elapsed)) }
            calls *= 4
        }
    }

    private static func time(_ work: Work, calls: Int) throws -> Double {
        let start = processorTime
        var result = 0
        for _ in 0..<calls { result &+= try work() }
        let elapsed = processorTime - start
        // The result is looked at, which is all that the optimizer asks for.
        if result == .min { print("") }
        return elapsed
    }

    /// Seconds of processor time that this process has used.
    private static var processorTime: Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
