// The handler behind swift-log's loggers.

import Logging

/// Writes to a `LogSink`. Metadata is appended as `key=value`; keys that name a secret have their value left out.
package struct SinkLogHandler: LogHandler {
    package var metadata: Logger.Metadata = [:]
    package var logLevel: Logger.Level
    private let label: String
    private let sink: LogSink

    package init(label: String, sink: LogSink, level: Logger.Level) {
        self.label = label
        self.sink = sink
        logLevel = level
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        var message = "\(event.message)"
        let all = metadata.merging(event.metadata ?? [:]) { _, own in own }
        for (key, value) in all.sorted(by: { $0.key < $1.key }) {
            message += " \(key)=\(Self.isSecret(key) ? "<redacted>" : "\(value)")"
        }
        if let error = event.error { message += " error=\(error)" }
        sink.write(message, label: label, level: event.level)
    }

    private static func isSecret(_ key: String) -> Bool {
        let key = key.lowercased()
        return ["token", "password", "secret", "authorization", "pepper", "mac"].contains { key.contains($0) }
    }
}

extension LogConfiguration {
    /// Makes all loggers of the process write to `sink`. To be called once.
    package func install(on sink: LogSink) {
        let configuration = self
        LoggingSystem.bootstrap { label in SinkLogHandler(label: label, sink: sink, level: configuration.level(of: label)) }
    }
}
