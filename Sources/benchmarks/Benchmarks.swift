// Micro-benchmarks of the pieces on the hot paths of sending, receiving, reading and authorizing events.
//
//     swift run -c release benchmarks             # all
//     swift run -c release benchmarks JSON        # the groups whose name contains "JSON"
//     swift run -c release benchmarks --check     # fails when a goal is missed
//
// A figure is the processor time of one call. Where there is a baseline, both are measured in turn in the same run, and
// the ratio is what counts: absolute times drift with the machine.

import Glibc

@main
struct Benchmarks {
    static func main() throws {
        let arguments = CommandLine.arguments.dropFirst()
        var report = Report(wanted: arguments.first { !$0.hasPrefix("--") })
        try report.group("Events", eventBenchmarks)
        try report.group("JSON", jsonBenchmarks)
        try report.group("Authorization", authorizationBenchmarks)
        try report.group("State resolution", stateResolutionBenchmarks)

        if !report.missed.isEmpty {
            print("\nmissed: \(report.missed.joined(separator: "; "))")
            if arguments.contains("--check") { exit(1) }
        }
    }
}
