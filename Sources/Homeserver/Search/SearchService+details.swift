// What comes with the results of a search: groups, surroundings, state, and the words to be highlighted.
// Client-Server API §Server Side Search.

import MatrixCore
import Persistence
import Rooms

extension SearchResults {
    /// The groups in the order of their best or newest results.
    static func groups(of results: [Result], by grouping: SearchGrouping, next: SearchPlace?) -> [Group] {
        var groups: [Group] = []
        var places: [SearchToken.Group: Int] = [:]
        for result in results {
            let event = result.event.event
            let name: SearchToken.Group =
                switch grouping {
                case .room: .room(event.roomID)
                case .sender: .sender(event.sender)
                }
            if let place = places[name] {
                groups[place].events.append(event.id)
            } else {
                places[name] = groups.count
                groups.append(Group(name: name, events: [event.id], next: next.map { SearchToken(group: name, place: $0) }))
            }
        }
        return groups
    }
}

extension SearchService {
    /// How many events come at most as surroundings of all results of a page.
    private static let surroundingsLimit = 1000
    private static let highlightLimit = 100
    /// Of each text so much is looked through for words to highlight, in scalars.
    private static let highlightedLength = 4096

    /// Adds what was said around each result.
    func addSurroundings(
        _ context: SearchRequest.Context, to results: inout [SearchResults.Result], by sight: SearchSight
    ) async throws {
        let share = Self.surroundingsLimit / 2 / max(results.count, 1)
        let (beforeLimit, afterLimit) = (min(context.before, share), min(context.after, share))
        for index in results.indices {
            let event = results[index].event
            guard let view = sight.view(of: event.event.roomNID) else { continue }
            let position = event.event.position
            let before = try await history.page(
                of: view, .backwards, from: position.predecessor, to: nil, limit: beforeLimit, filter: .everything)
            let after = try await history.page(of: view, .forwards, from: position, to: nil, limit: afterLimit, filter: .everything)
            var senders: [TimelineEvent]?
            if context.includesProfiles {
                let users = Set((before.events + [event] + after.events).map(\.event.sender))
                senders = try await history.members(users, at: (after.events.last ?? event).event, in: view)
            }
            results[index].surroundings = SearchResults.Surroundings(
                before: before.events, after: after.events, start: before.next ?? position.predecessor, end: after.next ?? position,
                senders: senders)
        }
    }

    /// The state of the rooms of the results.
    func state(
        of results: [SearchResults.Result], by sight: SearchSight
    ) async throws -> [(room: RoomID, events: [TimelineEvent])] {
        var states: [(room: RoomID, events: [TimelineEvent])] = []
        var seen: Set<RoomNID> = []
        for result in results where seen.insert(result.event.event.roomNID).inserted {
            guard let view = sight.view(of: result.event.event.roomNID) else { continue }
            states.append((view.snapshot.roomID, try await history.state(of: view)))
        }
        return states
    }

    /// The words of the results that made them results, in lower case.
    func highlights(of results: [SearchResults.Result], _ expression: SearchExpression) async throws -> [String] {
        let rows = results.compactMap { SearchRow($0.event.event)?.shortened(to: Self.highlightedLength) }
        guard !rows.isEmpty else { return [] }
        let texts = try await read { try SearchStore.marked(rows, expression, on: $0) }
        var words: Set<ByteString> = []
        for text in texts { words.formUnion(SearchText.marked(in: text)) }
        return words.sorted().prefix(Self.highlightLimit).map(\.string)
    }
}

extension SearchRow {
    fileprivate func shortened(to length: Int) -> SearchRow {
        guard text.utf8.count > length else { return self }
        let start = String(String.UnicodeScalarView(text.unicodeScalars.prefix(length)))
        return SearchRow(event: event, room: room, key: key, place: place, text: start)
    }
}
