// Finding what was said. Client-Server API §Server Side Search.

import Homeserver
import MatrixCore
import Persistence
import Rooms

enum SearchRoutes {
    static let table: [Route] = [
        .client(.post, "/search", legacy: true, search)
    ]

    private static func search(_ context: APIContext) async throws -> APIResponse {
        let requester = try context.requester
        let request = try SearchRequest(json: try context.body())
        let start = try context.query("next_batch").flatMap { $0.isEmpty ? nil : $0 }.map { text throws(MatrixError) in
            try SearchToken(parsing: text)
        }
        let found = try await context.homeserver.search.search(request, from: start, by: requester.user)
        let viewer = try context.viewer, now = Timestamp.now
        return .object(capacity: 1024 * (found.results.count + 1)) { body in
            body.member(
                "search_categories",
                object: { categories in
                    categories.member("room_events", object: { found.write(to: &$0, for: viewer, now: now) })
                })
        }
    }
}

extension SearchRequest {
    /// Of the categories, only `room_events` is known to the specification.
    fileprivate init(json: JSON) throws(MatrixError) {
        let criteria = try json.requiredObject("search_categories").requiredObject("room_events")
        self.init(try SearchExpression(searchTerm: try criteria.requiredString("search_term")))
        if let names = try criteria.optionalStrings("keys") { keys = names.compactMap { SearchKey(name: $0) } }
        if let json = try criteria.optionalObject("filter") { filter = try RoomEventFilter(json: json) }
        if let name = try criteria.optionalString("order_by") { order = try Self.choice(name, "order_by") }
        includesState = try criteria.optionalBool("include_state") ?? false
        if let json = try criteria.optionalObject("event_context") { context = try Context(json: json) }
        for group in try criteria.optionalObject("groupings")?.optionalArray("group_by")?.elements.map({ $0 }) ?? [] {
            groupings.insert(try Self.choice(try group.requiredString("key"), "groupings.group_by.key"))
        }
    }

    private static func choice<Value: RawRepresentable & CaseIterable>(
        _ name: String, _ key: String
    ) throws(MatrixError) -> Value where Value.RawValue == String {
        guard let value = Value(rawValue: name) else {
            throw .invalidParam("\(key) must be one of \(Value.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return value
    }
}

extension SearchRequest.Context {
    fileprivate init(json: JSON) throws(MatrixError) {
        self.init(includesProfiles: try json.optionalBool("include_profile") ?? false)
        if let limit = try Self.limit("before_limit", in: json) { before = limit }
        if let limit = try Self.limit("after_limit", in: json) { after = limit }
    }

    private static func limit(_ key: String, in json: JSON) throws(MatrixError) -> Int? {
        guard let limit = try json.optionalInt(key) else { return nil }
        guard limit >= 0 else { throw .invalidParam("\(key) must not be negative") }
        return Int(min(limit, Int64(RoomHistory.pageLimit)))
    }
}

extension SearchResults {
    fileprivate func write(to category: inout JSONWriter, for viewer: EventViewer, now: Timestamp) {
        category.member("count", count)
        category.member("highlights", highlights)
        category.member("results", array: { writer in for result in results { result.write(to: &writer, for: viewer, now: now) } })
        if let state {
            category.member(
                "state", object: { writer in for (room, events) in state { writer.member(room.string, events, for: viewer, now: now) } })
        }
        if !groups.isEmpty {
            category.member(
                "groups",
                object: { writer in
                    for grouping in SearchGrouping.allCases {
                        guard let groups = groups[grouping] else { continue }
                        writer.member(grouping.rawValue, object: { writer in SearchResults.write(groups, to: &writer) })
                    }
                })
        }
        if let next { category.member("next_batch", next.text) }
    }

    private static func write(_ groups: [Group], to writer: inout JSONWriter) {
        for (index, group) in groups.enumerated() {
            let name =
                switch group.name {
                case .room(let room): room.string
                case .sender(let user): user.string
                }
            writer.member(
                name,
                object: { entry in
                    entry.member("order", index + 1)
                    entry.member("results", group.events)
                    if let next = group.next { entry.member("next_batch", next.text) }
                })
        }
    }
}

extension SearchResults.Result {
    fileprivate func write(to writer: inout JSONWriter, for viewer: EventViewer, now: Timestamp) {
        writer.object { writer in
            writer.key("rank")
            writer.double(rank)
            writer.key("result")
            event.write(to: &writer, for: viewer, now: now)
            writer.member("context", object: { surroundings?.write(to: &$0, for: viewer, now: now) })
        }
    }
}

extension SearchResults.Surroundings {
    fileprivate func write(to writer: inout JSONWriter, for viewer: EventViewer, now: Timestamp) {
        writer.member("start", SyncToken(start).text)
        writer.member("end", SyncToken(end).text)
        writer.member("events_before", before, for: viewer, now: now)
        writer.member("events_after", after, for: viewer, now: now)
        guard let senders else { return }
        writer.member(
            "profile_info",
            object: { profiles in
                for member in senders {
                    guard let user = member.stateKey else { continue }
                    let content = member.contentIfReadable
                    profiles.member(
                        user.string,
                        object: { profile in
                            for field in ["displayname", "avatar_url"] {
                                if let value = content?[field]?.string { profile.member(field, value) }
                            }
                        })
                }
            })
    }
}
