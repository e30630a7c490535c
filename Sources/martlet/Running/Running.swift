// The life of the server: start, run, stop.

import ArgumentParser
import Glibc
import Homeserver
import Logging
import MatrixAPI
import MatrixCore
import Persistence
import ServerConfiguration
import ServiceLifecycle
import UnixSignals

struct Running {
    private let configuration: LoadedConfiguration
    private let began = ContinuousClock.now

    /// Open requests are answered or dropped, and what was taken is on disk, within this time of SIGTERM.
    private static let stopTime: Duration = .milliseconds(4500)

    init(_ configuration: LoadedConfiguration) { self.configuration = configuration }

    func run() async throws {
        // A client or a log reader that has gone, and a file that must not grow, are errors to be handled, not the end.
        for number in [SIGPIPE, SIGXFSZ, SIGHUP] { signal(number, SIG_IGN) }
        let keys = try signingKeys()
        let sink = try configuration.startLogging()
        let logger = Logger(label: "martlet")
        for warning in configuration.warnings { logger.warning("\(warning)") }
        if let warning = SigningKeyFile.permissionWarning(configuration.values.signingKeyPath) { logger.warning("\(warning)") }

        do {
            let eventLoops = EventLoops.ofProcess()
            let wiring = try await Wiring(configuration.values, signingKeys: keys, executors: eventLoops.executors, logger: logger)
            let outcome = await serve(wiring, on: eventLoops, sink: sink, logger: logger)
            await wiring.database.close()
            try outcome.get()
            logger.info("stopped")
            sink.flush()
        } catch let code as ExitCode {
            throw code
        } catch {
            let reason = Self.explain(error)
            logger.critical("\(reason)")
            sink.flush()
            // The log may be a file that nobody looks at while starting by hand.
            throw sink.isConsole ? ExitCode.failure : failure(reason)
        }
    }

    private func signingKeys() throws -> [SigningKey] {
        do { return try SigningKeyFile.read(configuration.values.signingKeyPath) } catch { throw failure("\(error)") }
    }

    private func serve(_ wiring: Wiring, on eventLoops: EventLoops, sink: LogSink, logger: Logger) async -> Result<Void, any Error> {
        let manager = ServiceManager()
        let pidFile = configuration.values.pidFile.map { PidFile(path: $0) }
        defer { pidFile?.remove() }
        do {
            let addresses = configuration.values.listeners.reduce(0) { $0 + ListenerService.addressCount(of: $1) }
            let startup = Startup(listeners: addresses, manager: manager, pidFile: pidFile, logger: logger, began: began)
            let listeners = try HTTPServer.services(
                for: wiring.homeserver, on: eventLoops, logger: logger, accessLog: { Logger(label: "martlet.access.http.\($0)") },
                didStart: { startup.didBind($0) })
            if listeners.isEmpty { startup.ready() }
            let all: [any Service] =
                [LogService(sink: sink, manager: manager, logger: logger)] + wiring.services + listeners + [
                    WatchdogService(manager: manager), StopService(manager: manager, homeserver: wiring.homeserver, logger: logger),
                ]
            var quiet = Logger(label: "martlet.lifecycle")
            quiet.logLevel = .error
            var group = ServiceGroupConfiguration(
                services: all.map { .init(service: $0) }, gracefulShutdownSignals: [.sigterm, .sigint], logger: quiet)
            group.maximumGracefulShutdownDuration = Self.stopTime
            let services = ServiceGroup(configuration: group)
            try await withTaskExecutorPreference(eventLoops.executors.first) { try await services.run() }
            return .success(())
        } catch {
            return .failure(error)
        }
    }

    /// What went wrong at the start, in words that name the thing.
    private static func explain(_ error: any Error) -> String {
        switch error {
        case let error as ListenerError: error.description
        case let error as DatabaseError where error.kind == .refused: "database: \(error.message)"
        case let error as DatabaseError: "database: \(error)"
        case let error as ConfigurationProblem: error.description
        default: "\(error)"
        }
    }
}
