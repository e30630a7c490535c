// The services of the process itself: its log, its service manager, its signals, its pid file.

import Glibc
import Homeserver
import Logging
import MatrixAPI
import ServerConfiguration
import ServiceLifecycle
import Synchronization
import UnixSignals

/// Writes the gathered log after a second, and opens it anew on SIGHUP.
struct LogService: Service {
    let sink: LogSink
    let manager: ServiceManager
    let logger: Logger

    func run() async throws {
        let hangups = await UnixSignalsSequence(trapping: .sighup)
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    for await _ in sink.gatherings {
                        do { try await Task.sleep(for: .seconds(1), tolerance: .milliseconds(500)) } catch { return }
                        sink.tick()
                    }
                }
                group.addTask {
                    for await _ in hangups {
                        manager.reloading()
                        sink.reopen()
                        logger.info("the log was opened anew (SIGHUP)")
                        manager.ready("Running")
                    }
                }
                await group.next()
                group.cancelAll()
            }
        }
        sink.flush()
    }
}

/// Tells the service manager regularly that we are alive.
struct WatchdogService: Service {
    let manager: ServiceManager

    func run() async throws {
        guard let interval = manager.watchdogInterval else { return try await gracefulShutdown() }
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                manager.alive()
                do { try await Task.sleep(for: interval) } catch { return }
            }
        }
    }
}

/// Stands last among the services, so that it is the first to hear of the end: says so, and has all waiting syncs answered, for which the
/// listeners wait.
struct StopService: Service {
    let manager: ServiceManager
    let homeserver: Homeserver
    let logger: Logger

    func run() async throws {
        try? await gracefulShutdown()
        logger.info("stopping")
        manager.stopping()
        homeserver.sync.shutdown()
    }
}

/// Counts the listeners that are bound; the last one makes the server ready.
final class Startup: Sendable {
    private let missing: Atomic<Int>
    private let manager: ServiceManager
    private let pidFile: PidFile?
    private let logger: Logger
    private let began: ContinuousClock.Instant

    init(listeners: Int, manager: ServiceManager, pidFile: PidFile?, logger: Logger, began: ContinuousClock.Instant) {
        missing = Atomic(listeners)
        self.manager = manager
        self.pidFile = pidFile
        self.logger = logger
        self.began = began
    }

    func didBind(_ address: String) {
        logger.info("listening on \(address)")
        guard missing.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 else { return }
        ready()
    }

    /// The pid file is written only now: a second server that finds the port taken leaves the first one's alone.
    func ready() {
        if let reason = pidFile?.write() { logger.warning("\(reason)") }
        let (seconds, attoseconds) = (ContinuousClock.now - began).components
        logger.info("ready after \(seconds * 1000 + attoseconds / 1_000_000_000_000_000) ms")
        manager.ready("Running")
    }
}

/// The file that holds the process's number while it runs.
final class PidFile: Sendable {
    private let path: String
    private let isWritten = Atomic(false)

    init(path: String) { self.path = path }

    /// - Returns: why it could not be written.
    func write() -> String? {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { return "pid_file: \(path) cannot be written: \(String(cString: strerror(errno)))" }
        defer { close(descriptor) }
        isWritten.store(true, ordering: .relaxed)
        let bytes = Array("\(getpid())\n".utf8)
        guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count else {
            return "pid_file: \(path) cannot be written: \(String(cString: strerror(errno)))"
        }
        return nil
    }

    func remove() {
        if isWritten.load(ordering: .relaxed) { unlink(path) }
    }
}
