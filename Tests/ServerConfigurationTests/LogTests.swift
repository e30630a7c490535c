// Where lines of the log go, and what never goes into them.

import Glibc
import Logging
import ServerConfiguration
import Testing

@Suite struct LogTests {
    private func configuration(_ text: String) throws -> LogConfiguration {
        try LogConfigurationReader.interpret(try YAMLFile.parse(text, file: "log.yaml"))
    }

    @Test("Synapse's own log configuration logs to its file, rotated daily, through the handler that gathers")
    func synapse() throws {
        let configuration = try configuration(
            """
            version: 1
            formatters: {precise: {format: '%(asctime)s - %(name)s - %(lineno)d - %(levelname)s - %(request)s - %(message)s'}}
            handlers:
              file:
                class: logging.handlers.TimedRotatingFileHandler
                formatter: precise
                filename: /var/log/homeserver.log
                when: midnight
                backupCount: 3
                encoding: utf8
              buffer: {class: synapse.logging.handlers.PeriodicallyFlushingMemoryHandler, target: file, capacity: 10, flushLevel: 30, period: 5}
              console: {class: logging.StreamHandler, formatter: precise}
            loggers: {synapse.storage.SQL: {level: INFO}, synapse.access: {level: WARNING}}
            root: {level: DEBUG, handlers: [buffer]}
            disable_existing_loggers: false
            """)
        #expect(configuration.output == .file(path: "/var/log/homeserver.log", rotation: .daily(keep: 3)))
        #expect(configuration.level == .debug)
        #expect(configuration.level(of: "martlet.storage.SQL") == .info)
        #expect(configuration.level(of: "martlet.storage") == .debug)
        #expect(configuration.level(of: "martlet.access.http.8008") == .warning)
        #expect(configuration.level(of: "synapse.access.http.8008") == .warning)
        #expect(configuration.level(of: "martlet.accessory") == .debug)
    }

    @Test("without a file the log goes to the console; a wrong level names its line")
    func others() throws {
        #expect(
            try configuration(
                "root: {level: WARNING, handlers: [c]}\nhandlers: {c: {class: logging.StreamHandler, stream: 'ext://sys.stdout'}}"
            ).output == .console(isOutput: true))
        #expect(try configuration("version: 1") == LogConfiguration())
        #expect(
            try configuration(
                "handlers: {f: {class: logging.handlers.RotatingFileHandler, filename: a.log, maxBytes: 1000, backupCount: 2}}\nroot: {handlers: [f]}"
            )
            .output == .file(path: "a.log", rotation: .size(bytes: 1000, keep: 2)))
        let problem = #expect(throws: ConfigurationProblem.self) { _ = try configuration("version: 1\nroot:\n  level: LOUD") }
        #expect(problem?.location.line == 3 && problem?.option == "root.level")
    }

    /// A log file of its own for a test.
    private func temporary() -> String {
        "/tmp/martlet-log-\(UInt64.random(in: 0...UInt64.max)).log"
    }

    @Test("a line has time, logger, level and message; secrets in metadata are left out; a line break cannot make a line")
    func lines() throws {
        let path = temporary()
        defer { unlink(path) }
        let sink = try LogSink(.file(path: path, rotation: .none))
        var logger = Logger(label: "martlet.test") { SinkLogHandler(label: $0, sink: sink, level: .info) }
        logger.debug("not shown")
        logger[metadataKey: "access_token"] = "syt_secret"
        logger.info("first\n2000-01-01 00:00:00,000 - forged", metadata: ["room": "!a:b", "Password": "hunter2"])
        #expect(try FileText.read(path).isEmpty)
        sink.tick()
        let text = try FileText.read(path)
        #expect(text.contains(" - martlet.test - INFO - first\n    2000-01-01"))
        #expect(text.contains("Password=<redacted> access_token=<redacted> room=!a:b\n"))
        #expect(!text.contains("syt_secret") && !text.contains("hunter2") && !text.contains("not shown"))
    }

    @Test("a warning is written at once, and after the file was moved away and opened anew, to the new one")
    func reopening() throws {
        let path = temporary()
        defer {
            unlink(path)
            unlink(path + ".old")
        }
        let sink = try LogSink(.file(path: path, rotation: .none))
        let logger = Logger(label: "martlet") { SinkLogHandler(label: $0, sink: sink, level: .info) }
        logger.warning("before")
        #expect(try FileText.read(path).contains("before"))
        rename(path, path + ".old")
        logger.info("gathered")
        sink.reopen()
        logger.warning("after")
        #expect(try FileText.read(path + ".old").contains("gathered"))
        #expect(try FileText.read(path).contains("after"))
    }

    @Test("a file that has grown too large is numbered, and the oldest falls away")
    func numbering() throws {
        let path = temporary()
        let sink = try LogSink(.file(path: path, rotation: .size(bytes: 100, keep: 2)))
        let logger = Logger(label: "martlet") { SinkLogHandler(label: $0, sink: sink, level: .info) }
        for number in 1...4 {
            logger.info("\(number) \(String(repeating: "x", count: 100))")
            sink.tick()
        }
        defer { for suffix in ["", ".1", ".2"] { unlink(path + suffix) } }
        #expect(try FileText.read(path).isEmpty)
        #expect(try FileText.read(path + ".1").contains("4 x") && FileText.read(path + ".2").contains("3 x"))
        #expect(!FileText.exists(path + ".3"))
    }
}
