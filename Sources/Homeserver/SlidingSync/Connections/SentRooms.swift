// What the client at the other end of a connection has got. MSC4186.

import MatrixCore
import Persistence

/// Up to where something of a room was sent.
package enum SentMark: Sendable, Hashable {
    case never
    /// Everything up to the position that the client has come to.
    case live
    /// Everything up to here, and something has happened since.
    case upTo(StreamPosition)

    /// After what the next response has to look.
    ///
    /// - Parameter since: the position that the client has come to.
    package func bound(_ since: StreamPosition?) -> StreamPosition? {
        switch self {
        case .never: nil
        case .live: since
        case .upTo(let position): position
        }
    }
}

/// What was sent of one room.
package struct SentRoom: Sendable, Hashable {
    /// Everything that happened in the room up to here was sent, as `config` says; nil where the room itself was not sent. Nothing has to
    /// be noted of a room in which nothing happens: its newest event tells whether something was missed.
    package var upTo: StreamPosition?
    /// What the client has. A state key that it has asked for once stays in it until it changes.
    package var config: RoomConfig
    /// Member events that were sent, the newest ones last.
    package var members: [EventNID] = []
    package var receipts = SentMark.never
    package var accountData = SentMark.never

    package init(config: RoomConfig) {
        self.config = config
    }

    /// How many member events are remembered; what is forgotten is merely sent once more.
    package static let memberLimit = 128

    package mutating func note(members sent: [EventNID]) {
        let new = sent.filter { !members.contains($0) }
        guard !new.isEmpty else { return }
        members.append(contentsOf: new)
        if members.count > SentRoom.memberLimit { members.removeFirst(members.count - SentRoom.memberLimit) }
    }
}

/// The history of one connection as far as it may matter: what the client has confirmed by coming back, and what was sent since.
///
/// An answer that changes something gets a number. As long as the client has not come back with it, it may ask again from where it stood
/// before, and has to get the same. When it does come back, the answers that it has not got are forgotten.
package struct ConnectionHistory: Sendable {
    /// One answer that the client may or may not have got: the rooms as they are if it has.
    package struct Answer: Sendable {
        package let number: Int64
        package let rooms: [RoomNID: SentRoom]

        package init(number: Int64, rooms: [RoomNID: SentRoom]) {
            self.number = number
            self.rooms = rooms
        }
    }

    /// The answer that the client has confirmed; 0 where it has confirmed none.
    package private(set) var number: Int64
    package private(set) var rooms: [RoomNID: SentRoom]
    package private(set) var answers: [Answer]
    /// The last number given out.
    package private(set) var lastNumber: Int64

    /// How many answers are remembered that follow one position.
    package static let answerLimit = 8
    /// More answers than this cannot have been lost; a number beyond is none that was given out.
    private static let lossLimit: Int64 = 1_000_000
    /// How many rooms are remembered. Those that were not sent for longest are forgotten, and sent anew.
    package static let roomLimit = 20_000

    package init(number: Int64 = 0, rooms: [RoomNID: SentRoom] = [:], answers: [Answer] = [], lastNumber: Int64 = 0) {
        self.number = number
        self.rooms = rooms
        self.answers = answers
        self.lastNumber = lastNumber
    }

    /// The client comes back with this number.
    ///
    /// A number that was never given out is one that was given out before the server was killed, and came after everything that is known
    /// here: the client has at least that, and gets the rest again.
    ///
    /// - Returns: false where it is not known what the client has.
    package mutating func confirm(_ wanted: Int64) -> Bool {
        if wanted == number { return true }
        if let answer = answers.first(where: { $0.number == wanted }) {
            rooms.merge(answer.rooms) { _, new in new }
            shrink()
        } else if wanted <= lastNumber || wanted - lastNumber > ConnectionHistory.lossLimit {
            return false
        } else if number == 0, answers.count == 1 {
            // Whoever begins anew gets a connection of their own, so there is no other way to come here than by the first answer.
            rooms = answers[0].rooms
        }
        number = wanted
        lastNumber = max(lastNumber, wanted)
        answers.removeAll()
        return true
    }

    /// Notes what an answer to the confirmed position sends.
    ///
    /// - Parameters:
    ///   - start: the number of the answer that the request came with.
    /// - Returns: the number of the answer; nil where the client has come back with another one in the meantime.
    package mutating func answer(_ sent: [RoomNID: SentRoom], from start: Int64) -> Int64? {
        guard start == number else { return nil }
        if sent.isEmpty { return number }
        lastNumber += 1
        answers.append(Answer(number: lastNumber, rooms: sent))
        if answers.count > ConnectionHistory.answerLimit { answers.removeFirst() }
        return lastNumber
    }

    private mutating func shrink() {
        guard rooms.count > ConnectionHistory.roomLimit else { return }
        let oldest = rooms.sorted { ($0.value.upTo ?? .zero) < ($1.value.upTo ?? .zero) }
        for (room, _) in oldest.prefix(rooms.count - ConnectionHistory.roomLimit * 3 / 4) { rooms[room] = nil }
    }

    /// About how many bytes it holds.
    package var cost: Int {
        let sent = answers.reduce(rooms.count) { $0 + $1.rooms.count }
        return 512 + sent * 160
    }
}
