// The fuzzer's command line: `fuzz TARGET [options of libFuzzer] [folders of inputs]`. Scripts/fuzz calls it.

import CFuzzer
import Glibc
import MatrixCore

/// What takes an input and breaks, by a trap, when the library does with it what it must not.
struct FuzzTarget: Sendable {
    let name: String
    let test: @Sendable ([UInt8]) -> Void

    static let all = [json, event, room, identifier, text, rules]
}

@main
struct Fuzz {
    /// The target of this run. Set once, before the fuzzer starts; the fuzzer calls back on one thread.
    nonisolated(unsafe) private static var target = FuzzTarget.json

    static func main() {
        let names = FuzzTarget.all.map(\.name)
        guard CommandLine.argc > 1, let name = CommandLine.arguments.dropFirst().first else { return print(names.joined(separator: "\n")) }
        guard let target = FuzzTarget.all.first(where: { $0.name == name }) else {
            print("no target \(name); there are \(names.joined(separator: ", "))")
            exit(2)
        }
        Self.target = target

        // The driver sees the arguments without the target's name.
        var count = CommandLine.argc - 1
        var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv + 1
        let status = LLVMFuzzerRunDriver(&count, &arguments) { data, size in
            Fuzz.target.test(Array(UnsafeBufferPointer(start: data, count: size)))
            return 0
        }
        exit(status)
    }
}

/// What must hold, whatever the input. A trap is a finding.
func require(_ condition: @autoclosure () -> Bool, _ message: @autoclosure () -> String) {
    if !condition() { fatalError(message()) }
}

/// The value of `body`, or `nil` when it refuses the input, as it may.
func accepted<T>(_ body: () throws -> T) -> T? {
    do { return try body() } catch { return nil }
}
