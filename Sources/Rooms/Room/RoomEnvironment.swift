// What every room needs of its surroundings.

import Logging
import MatrixCore
import Persistence

/// The database, the Journal, and who this server is: handed to every room and to the services around rooms.
package struct RoomEnvironment: Sendable {
    package let database: any Database
    package let journal: Journal
    package let sequences: Sequences
    package let stateKeys: StateKeyTable
    package let events: EventCache
    package let aggregations: AggregationCache
    package let memberLists: MemberLists
    package let erasedUsers: ErasedUsers
    package let partialRooms = PartialRooms()
    package let gaps = TimelineGaps()
    package let serverName: ServerName
    package let signingKey: SigningKey
    package let logger: Logger
    /// The user as whom the server sends notices; nil: it sends none. Client-Server API §Server Notices.
    package let noticeSender: UserID?
    /// Of more forward extremities than this, a room's are tied together.
    package let dummyEventsThreshold: Int
    /// nil: rooms with a policy server are read only.
    let policySignatures: (any PolicySignatures)?
    /// Where rooms work.
    let threads: WorkingThreads

    /// - Parameter threads: where rooms work.
    package init(
        database: any Database, journal: Journal, sequences: Sequences, serverName: ServerName, signingKey: SigningKey,
        logger: Logger, noticeSender: UserID? = nil, eventCacheByteLimit: Int = 8 << 20, dummyEventsThreshold: Int = 10,
        policySignatures: (any PolicySignatures)? = nil, threads: WorkingThreads = WorkingThreads()
    ) {
        self.database = database
        self.journal = journal
        self.sequences = sequences
        self.serverName = serverName
        self.signingKey = signingKey
        self.logger = logger
        self.noticeSender = noticeSender
        self.dummyEventsThreshold = dummyEventsThreshold
        self.policySignatures = policySignatures
        self.threads = threads
        stateKeys = StateKeyTable(database: database, sequences: sequences)
        events = EventCache(byteLimit: eventCacheByteLimit)
        aggregations = AggregationCache(byteLimit: eventCacheByteLimit / 4)
        memberLists = MemberLists(byteLimit: eventCacheByteLimit / 3)
        erasedUsers = ErasedUsers(database: database)
    }

    /// What comes to be known of the past stands before all that is known already.
    func nextPastPosition() -> StreamPosition { StreamPosition(-sequences.next(.past)) }

    package func isLocal(_ user: UserID) -> Bool { user.belongs(to: serverName) }
}
