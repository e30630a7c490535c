// The form in which a connection is stored.

import MatrixCore
import Persistence

extension ConnectionHistory {
    private static let formatVersion: UInt8 = 1

    /// A version byte, then numbers of seven bits to a byte; each distinct `required_state` stands once, before the rooms.
    package var encoded: [UInt8] {
        var states: [RequiredState: Int] = [:]
        var order: [RequiredState] = []
        let sent = [rooms] + answers.map(\.rooms)
        for rooms in sent {
            for room in rooms.values where states[room.config.required] == nil {
                states[room.config.required] = order.count
                order.append(room.config.required)
            }
        }
        var bytes = NumberWriter(version: ConnectionHistory.formatVersion)
        bytes.append(number)
        bytes.append(lastNumber)
        bytes.append(Int64(order.count))
        for state in order {
            bytes.append(Int64(state.keys.count))
            for (type, stateKeys) in state.keys {
                bytes.append(type)
                bytes.append(Int64(stateKeys.count))
                for stateKey in stateKeys { bytes.append(stateKey) }
            }
        }
        bytes.append(rooms, states)
        bytes.append(Int64(answers.count))
        for answer in answers {
            bytes.append(answer.number)
            bytes.append(answer.rooms, states)
        }
        return bytes.bytes
    }

    /// - Returns: nil for what is not of this version: then the connection is lost.
    package init?(encoded bytes: [UInt8], _ table: RequiredStateTable) {
        guard var reader = NumberReader(bytes, version: ConnectionHistory.formatVersion), let number = reader.number(),
            let lastNumber = reader.number(), let stateCount = reader.count()
        else { return nil }
        var states: [RequiredState] = []
        for _ in 0..<stateCount {
            guard let typeCount = reader.count() else { return nil }
            var keys: [ByteString: Set<ByteString>] = [:]
            for _ in 0..<typeCount {
                guard let type = reader.text(), let count = reader.count() else { return nil }
                var stateKeys: Set<ByteString> = []
                for _ in 0..<count {
                    guard let stateKey = reader.text() else { return nil }
                    stateKeys.insert(stateKey)
                }
                keys[type] = stateKeys
            }
            states.append(table.shared(RequiredState(keys)))
        }
        guard let rooms = reader.rooms(states), let answerCount = reader.count() else { return nil }
        var answers: [Answer] = []
        for _ in 0..<answerCount {
            guard let number = reader.number(), let rooms = reader.rooms(states) else { return nil }
            answers.append(Answer(number: number, rooms: rooms))
        }
        self.init(number: number, rooms: rooms, answers: answers, lastNumber: lastNumber)
    }
}

/// Appends numbers and texts to bytes.
private struct NumberWriter {
    private(set) var bytes: [UInt8]

    init(version: UInt8) {
        bytes = [version]
    }

    mutating func append(_ number: Int64) {
        var rest = UInt64(bitPattern: number)
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    mutating func append(_ text: ByteString) {
        append(Int64(text.count))
        text.withBytes { bytes.append(contentsOf: $0) }
    }

    mutating func append(_ mark: SentMark) {
        switch mark {
        case .never: append(0)
        case .live: append(1)
        case .upTo(let position): append(position.value + 2)
        }
    }

    mutating func append(_ rooms: [RoomNID: SentRoom], _ states: [RequiredState: Int]) {
        append(Int64(rooms.count))
        for (room, sent) in rooms {
            append(room.value)
            append((sent.upTo?.value ?? -1) + 1)
            append(Int64(sent.config.timelineLimit))
            append(Int64(states[sent.config.required] ?? 0))
            append(Int64(sent.members.count))
            for member in sent.members { append(member.value) }
            append(sent.receipts)
            append(sent.accountData)
        }
    }
}

/// Reads what `NumberWriter` wrote; nil where there is something else.
private struct NumberReader {
    private var rest: ArraySlice<UInt8>

    init?(_ bytes: [UInt8], version: UInt8) {
        guard bytes.first == version else { return nil }
        rest = bytes.dropFirst()
    }

    mutating func number() -> Int64? {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while shift < 64, let byte = rest.popFirst() {
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return Int64(bitPattern: value) }
            shift += 7
        }
        return nil
    }

    /// A number of things that follow, each of at least a byte.
    mutating func count() -> Int? {
        number().flatMap { $0 >= 0 && $0 <= Int64(rest.count) ? Int($0) : nil }
    }

    mutating func text() -> ByteString? {
        guard let length = count(), let text = ByteString(utf8: rest.prefix(length)) else { return nil }
        rest.removeFirst(length)
        return text
    }

    private mutating func mark() -> SentMark? {
        number().map { $0 == 0 ? .never : $0 == 1 ? .live : .upTo(StreamPosition($0 - 2)) }
    }

    mutating func rooms(_ states: [RequiredState]) -> [RoomNID: SentRoom]? {
        guard let count = count() else { return nil }
        var rooms: [RoomNID: SentRoom] = [:]
        rooms.reserveCapacity(count)
        for _ in 0..<count {
            guard let room = number(), let upTo = number(), let limit = number(), let state = number(), let memberCount = self.count(),
                states.indices.contains(Int(state))
            else { return nil }
            var sent = SentRoom(config: RoomConfig(timelineLimit: Int(limit), required: states[Int(state)]))
            sent.upTo = upTo == 0 ? nil : StreamPosition(upTo - 1)
            for _ in 0..<memberCount {
                guard let member = number() else { return nil }
                sent.members.append(EventNID(member))
            }
            guard let receipts = mark(), let accountData = mark() else { return nil }
            sent.receipts = receipts
            sent.accountData = accountData
            rooms[RoomNID(room)] = sent
        }
        return rooms
    }
}
