// Where lines of the log go: one descriptor, whole lines, gathered for at most a second.

import Glibc
import Logging
import Synchronization

/// Writes lines to a file or to the console.
///
/// Lines are gathered and written together when they are many, when one is a warning or worse, and a second after the first (`tick`). Each
/// write(2) is of whole lines. What cannot be written (a full disk) is dropped and counted: the log never stops the server.
package final class LogSink: Sendable {
    private struct State {
        var descriptor: Int32
        var buffer: [UInt8] = []
        var size = 0
        var dropped = 0
        /// Something was written since the last `tick`.
        var isTickNeeded = false
        /// The local day that the file belongs to, as days since the epoch.
        var day: Int
        /// The current second as text, so that it is formatted once a second.
        var second = -1
        var secondText: [UInt8] = []
    }

    private static let flushLimit = 16 * 1024

    private let output: LogConfiguration.Output
    private let state: Mutex<State>
    /// Tells that `tick` is to be called in a second.
    package let gatherings: AsyncStream<Void>
    private let gathering: AsyncStream<Void>.Continuation

    /// - Throws: `ConfigurationProblem` where the file cannot be opened.
    package init(_ output: LogConfiguration.Output) throws(ConfigurationProblem) {
        self.output = output
        (gatherings, gathering) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        switch Self.open(output) {
        case .success(let descriptor):
            state = Mutex(State(descriptor: descriptor, size: Self.size(of: descriptor), day: Self.day(ofFile: descriptor)))
        case .failure(let error):
            throw ConfigurationProblem(at: SourceLocation(file: Self.path(output), line: 0), "the log cannot be opened: \(error.message)")
        }
    }

    /// Adds `TIME - LABEL - LEVEL - MESSAGE`.
    func write(_ message: String, label: String, level: Logger.Level) {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        let isFirst = state.withLock { state in
            if now.tv_sec != state.second {
                state.second = now.tv_sec
                state.secondText = Array(Self.format(now.tv_sec).utf8)
            }
            state.buffer.append(contentsOf: state.secondText)
            let milliseconds = now.tv_nsec / 1_000_000
            state.buffer.append(UInt8(ascii: ","))
            for divisor in [100, 10, 1] { state.buffer.append(UInt8(ascii: "0") + UInt8(milliseconds / divisor % 10)) }
            for text in [label, Self.name(level)] {
                state.buffer.append(contentsOf: " - ".utf8)
                state.buffer.append(contentsOf: text.utf8)
            }
            state.buffer.append(contentsOf: " - ".utf8)
            appendLine(message, to: &state.buffer)
            if level >= .warning || state.buffer.count >= Self.flushLimit || isConsole { flush(&state) }
            defer { state.isTickNeeded = true }
            return !state.isTickNeeded
        }
        if isFirst { gathering.yield() }
    }

    /// Writes what is gathered.
    package func flush() {
        state.withLock { flush(&$0) }
    }

    /// To be called a second after lines began to gather (`gatherings`): writes them, and begins a new file when it is time.
    package func tick() {
        state.withLock { state in
            state.isTickNeeded = false
            flush(&state)
            guard case .file(let path, let rotation) = output else { return }
            switch rotation {
            case .none: break
            case .daily(let keep):
                let today = Self.day(of: time(nil))
                guard today != state.day else { return }
                if state.size > 0 { LogRotation.daily(path, day: state.day, keep: keep) }
                state.day = today
                reopen(&state)
            case .size(let bytes, let keep):
                guard state.size >= bytes else { return }
                LogRotation.numbered(path, keep: keep)
                reopen(&state)
            }
        }
    }

    /// Opens the file anew under its name: somebody else (logrotate) has moved the old one away.
    package func reopen() {
        state.withLock { state in
            flush(&state)
            reopen(&state)
        }
    }

    /// Whether who started the program sees the log.
    package var isConsole: Bool {
        if case .console = output { true } else { false }
    }

    // MARK: Steps

    private func flush(_ state: inout State) {
        guard !state.buffer.isEmpty else { return }
        if state.dropped > 0 {
            state.buffer.append(contentsOf: "(\(state.dropped) bytes of the log could not be written before this)\n".utf8)
        }
        let written = Self.writeAll(state.buffer, to: state.descriptor)
        state.size += written
        state.dropped = written == state.buffer.count ? 0 : state.dropped + state.buffer.count - written
        state.buffer.removeAll(keepingCapacity: true)
    }

    private func reopen(_ state: inout State) {
        guard case .file = output, case .success(let descriptor) = Self.open(output) else { return }
        close(state.descriptor)
        state.descriptor = descriptor
        state.size = Self.size(of: descriptor)
    }

    /// A message of several lines stays readable, and cannot pass for lines of ours: what follows a line break is indented.
    private func appendLine(_ message: String, to buffer: inout [UInt8]) {
        for byte in message.utf8 {
            buffer.append(byte)
            if byte == UInt8(ascii: "\n") { buffer.append(contentsOf: "    ".utf8) }
        }
        buffer.append(UInt8(ascii: "\n"))
    }

    private static func writeAll(_ bytes: [UInt8], to descriptor: Int32) -> Int {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress.map { $0 + written }, bytes.count - written) }
            if count < 0 {
                if errno == EINTR { continue }
                break
            }
            written += count
        }
        return written
    }

    private static func open(_ output: LogConfiguration.Output) -> Result<Int32, FileText.SystemError> {
        switch output {
        case .console(let isOutput): return .success(isOutput ? STDOUT_FILENO : STDERR_FILENO)
        case .file(let path, _):
            let descriptor = Glibc.open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o640)
            return descriptor >= 0 ? .success(descriptor) : .failure(FileText.SystemError(code: errno))
        }
    }

    private static func path(_ output: LogConfiguration.Output) -> String {
        if case .file(let path, _) = output { path } else { "console" }
    }

    private static func size(of descriptor: Int32) -> Int {
        var status = stat()
        return fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG ? Int(status.st_size) : 0
    }

    // MARK: Time

    /// The day that a file was last written on; today for a new one.
    private static func day(ofFile descriptor: Int32) -> Int {
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_size > 0, status.st_mode & S_IFMT == S_IFREG else { return day(of: time(nil)) }
        return day(of: status.st_mtim.tv_sec)
    }

    /// Days since the epoch in local time.
    private static func day(of second: time_t) -> Int {
        var second = second
        var parts = tm()
        localtime_r(&second, &parts)
        return (second + parts.tm_gmtoff) / 86_400
    }

    /// `2026-11-22 19:41:43`, local time.
    private static func format(_ second: time_t) -> String {
        var second = second
        var parts = tm()
        localtime_r(&second, &parts)
        func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return
            "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday)) \(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))"
    }

    private static func name(_ level: Logger.Level) -> String {
        switch level {
        case .trace: "TRACE"
        case .debug: "DEBUG"
        case .info, .notice: "INFO"
        case .warning: "WARNING"
        case .error: "ERROR"
        case .critical: "CRITICAL"
        }
    }
}
