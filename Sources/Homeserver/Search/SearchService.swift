// Finding what was said. Client-Server API §Server Side Search.

import MatrixCore
import Persistence
import Rooms

/// Searches the rooms of a user. The index says what matches; what of that the user may see, the rooms' histories say.
package final class SearchService: Sendable {
    let database: any Database
    let rooms: RoomRegistry
    let events: EventReader
    let history: RoomHistory
    private let accountData: AccountDataService
    private let journal: Journal
    private let reader: CommitReader
    private let isEnabled: Bool
    /// A user searches for one thing at a time, and all together for few: a search may keep a connection to the database busy for seconds.
    private let turns = KeyedQueue<UserID>()
    private let lanes = KeyedQueue<Int>()
    private static let laneCount = 2

    package static let defaultLimit = 10
    private static let resultLimit = 100
    /// With the state of their rooms, which may have many members.
    private static let resultLimitWithState = 10
    /// As far the number of matches is counted.
    private static let countLimit = 10_000

    /// - Parameter reader: what keeps the index up to date.
    package init(
        database: any Database, journal: Journal, rooms: RoomRegistry, events: EventReader, history: RoomHistory,
        accountData: AccountDataService, reader: CommitReader, isEnabled: Bool
    ) {
        self.database = database
        self.journal = journal
        self.rooms = rooms
        self.events = events
        self.history = history
        self.accountData = accountData
        self.reader = reader
        self.isEnabled = isEnabled
    }

    /// One page of results.
    ///
    /// - Parameter start: `next_batch` of the page before.
    /// - Throws: 400 `M_UNKNOWN` where the operator does not want searches; 503 `M_UNKNOWN` for one that takes too long.
    package func search(_ request: SearchRequest, from start: SearchToken?, by user: UserID) async throws -> SearchResults {
        guard isEnabled else { throw MatrixError.unknown("Search is disabled on this homeserver") }
        await reader.reach(journal.position)
        return try await turns.run(user) {
            try await lanes.run(Int(user.hashValue.magnitude % UInt(Self.laneCount))) {
                try await answer(request, from: start, by: user)
            }
        }
    }

    private func answer(_ request: SearchRequest, from start: SearchToken?, by user: UserID) async throws -> SearchResults {
        let memberships = try await searchedRooms(of: user, request.filter, group: start?.group)
        guard let query = query(request, in: memberships.map(\.roomNID), from: start) else { return SearchResults() }
        let limit = request.filter.limit(
            default: Self.defaultLimit, maximum: request.includesState ? Self.resultLimitWithState : Self.resultLimit)
        var sight = SearchSight(
            viewer: user, ignored: try await accountData.ignoredUsers(of: user), filter: request.filter,
            rooms: Dictionary(memberships.map { ($0.roomNID, $0.room) }) { first, _ in first })
        let found =
            switch request.order {
            case .recent: try await newest(query, limit: limit, by: &sight)
            case .rank: try await best(query, limit: limit, by: &sight)
            }

        var answer = SearchResults()
        answer.results = found.results
        answer.next = found.next.map { SearchToken(group: start?.group, place: $0) }
        answer.count = try await count(found, query, isFirstPage: start == nil, memberships)
        answer.highlights = try await highlights(of: found.results, query.expression)
        for grouping in request.groupings {
            answer.groups[grouping] = SearchResults.groups(of: found.results, by: grouping, next: found.next)
        }
        if let context = request.context { try await addSurroundings(context, to: &answer.results, by: sight) }
        if request.includesState { answer.state = try await state(of: answer.results, by: sight) }
        return answer
    }

    /// nil where nothing can be found.
    private func query(_ request: SearchRequest, in rooms: [RoomNID], from start: SearchToken?) -> SearchQuery? {
        let filter = request.filter.events
        guard !rooms.isEmpty, !request.expression.isEmpty, !filter.passesNothing else { return nil }
        var query = SearchQuery(request.expression, in: rooms)
        query.keys = SearchKey.allCases.filter { request.keys.contains($0) && filter.passes(type: $0.eventType) }
        query.before = start?.place
        query.senders = filter.senders.map { Array($0) }
        query.notSenders = Array(filter.notSenders)
        if case .sender(let user)? = start?.group {
            guard filter.passes(sender: user) else { return nil }
            query.senders = [user]
        }
        return query.keys.isEmpty ? nil : query
    }

    /// What is on one page is told exactly. Else the index counts, and only what is in rooms where the user is joined: how much is said in
    /// a room is nothing to tell those who have left.
    private func count(
        _ found: Finding, _ query: SearchQuery, isFirstPage: Bool, _ memberships: [MembershipRow]
    ) async throws -> Int {
        if found.isExhausted, isFirstPage { return found.results.count }
        var all = SearchQuery(query.expression, in: memberships.filter { $0.membership == .join }.map(\.roomNID))
        (all.keys, all.senders, all.notSenders) = (query.keys, query.senders, query.notSenders)
        let (asked, limit) = (all, Self.countLimit)
        guard !asked.rooms.isEmpty else { return found.results.count }
        return max(try await read { try SearchStore.count(asked, limit: limit, on: $0) }, found.results.count)
    }

    // MARK: Asking the index

    private static let timeLimit: Duration = .seconds(5)

    /// Asks the index, within the time that one search may take of it.
    func read<T: Sendable>(_ body: @escaping @Sendable (any SQLConnection) throws -> T) async throws -> T {
        do {
            return try await database.read { connection in try connection.within(Self.timeLimit) { try body(connection) } }
        } catch let error as DatabaseError where error.kind == .timeout {
            throw MatrixError.unknown("The search took too long", status: 503)
        }
    }
}
