// Keeps the full-text index up to date with the commit stream. Client-Server API §Server Side Search.

import MatrixCore
import Persistence
import Rooms

/// Takes in what can be found, and takes out what was redacted. On a database that has a history already, the reader goes through it
/// step by step in the background.
package struct SearchIndex: CommitHandler {
    package let name = "search"
    package let patience: Duration

    /// - Parameter patience: how long words may wait for others; a search does not.
    package init(patience: Duration = .seconds(5)) { self.patience = patience }

    package func concerns(_ change: Change) -> Bool {
        guard let event = change.event else { return false }
        return event.redacts != nil || SearchKey.allCases.contains { $0.eventType == event.type }
    }

    package func take(_ commits: [Commit]) async throws -> CommitOutcome {
        let events = commits.events
        let rows = events.compactMap { SearchRow($0) }
        let redacted = events.compactMap(\.redacts)
        guard !rows.isEmpty || !redacted.isEmpty else { return .nothing }
        return .write { connection in
            try SearchStore.insert(rows, on: connection)
            try SearchStore.delete(redacted, on: connection)
        }
    }
}

extension SearchKey {
    /// `keys` of a request.
    package init?(name: String) {
        guard let key = Self.allCases.first(where: { $0.name.utf8.elementsEqual(name.utf8) }) else { return nil }
        self = key
    }

    package var name: String {
        switch self {
        case .body: "content.body"
        case .name: "content.name"
        case .topic: "content.topic"
        }
    }

    /// The type of the events that have it.
    var eventType: ByteString {
        switch self {
        case .body: "m.room.message"
        case .name: StateKey.name.type
        case .topic: StateKey.topic.type
        }
    }

    fileprivate func text(in content: JSON) -> String? {
        switch self {
        case .body: return content["body"]?.string
        case .name: return content["name"]?.string
        case .topic:
            let texts = [content["topic"]?.string, Self.plainTopic(content)].compactMap { $0 }
            return texts.isEmpty ? nil : Array(Set(texts.map { ByteString($0) })).sorted().map(\.string).joined(separator: "\n")
        }
    }

    /// The plain representation of a topic. Client-Server API §m.room.topic, `m.topic`.
    private static func plainTopic(_ content: JSON) -> String? {
        guard let representations = content["m.topic"]?["m.text"]?.elements else { return nil }
        for representation in representations {
            let type = representation["mimetype"]?.string
            if type == nil || type == "text/plain", let body = representation["body"]?.string { return body }
        }
        return nil
    }
}

extension SearchRow {
    /// nil for an event that no search finds: of another type, encrypted, redacted or without a word.
    package init?(_ event: TimelineEvent) {
        guard event.redaction == nil, let key = SearchKey.allCases.first(where: { $0.eventType == event.type }),
            key == .body || event.isState, let content = event.contentIfReadable, let text = key.text(in: content)
        else { return nil }
        let folded = SearchText.folded(text)
        guard SearchText.hasWord(folded) else { return nil }
        self.init(
            event: event.nid, room: event.roomNID, key: key, place: SearchPlace(timestamp: event.timestamp, position: event.position),
            text: folded)
    }
}
