// Whatever fails, and whenever: what must arrive arrives, in order, and memory stays bounded.

import Federation
import MatrixCore
import Persistence
import TestSupport
import Testing

/// This server and another one, in one thread: things happen, transactions arrive, get lost or do not arrive, and this server crashes.
private struct World {
    /// What a server that receives transactions knows.
    struct Receiver {
        var events: [Int: [Int64]] = [:]
        var messages: [Int64] = []
        /// The last link of the chain of device changes, and the newest change of each device that it was told of.
        var link: Int64 = 0
        var devices: [Int: Int64] = [:]
        var resyncs = 0
    }

    var generator: SeededGenerator
    let crashes: Bool
    var limits = TransactionQueue.Limits()
    var queue: TransactionQueue
    var receiver = Receiver()

    // What has happened here, and what is stored of it.
    var position: Int64 = 0
    var events: [(position: Int64, room: Int)] = []
    var devices: [(position: Int64, device: Int)] = []
    var outbox: [Int64] = []
    var sentMessages: [Int64] = []
    var acknowledged: Int64 = 0
    var saved = (position: Int64(0), backlog: DestinationBacklogRow())
    var inFlight: Transaction?

    init(seed: UInt64, crashes: Bool) {
        generator = SeededGenerator(seed: seed)
        self.crashes = crashes
        limits.events = 20
        limits.deviceUpdates = 15
        limits.typing = 10
        limits.presences = 10
        limits.receipts = 10
        queue = TransactionQueue(limits: limits)
    }

    var bound: Int { limits.events + limits.deviceUpdates + limits.typing + limits.presences + limits.receipts + 2 * Transaction.eduLimit }

    mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &generator) < percent }

    // MARK: What happens

    mutating func happen() {
        position += 1
        switch Int.random(in: 0..<10, using: &generator) {
        case 0...4:
            let room = Int.random(in: 0..<6, using: &generator)
            events.append((position, room))
            queue.add(pdu(position, room))
        case 5, 6:
            let device = Int.random(in: 0..<4, using: &generator)
            let previous = devices.last?.position
            devices.append((position, device))
            queue.add(update(position, device, previous))
        case 7:
            outbox.append(position)
            sentMessages.append(position)
            queue.noteMessages()
        default:
            let user = UserID(trusted: "@\(Int.random(in: 0..<40, using: &generator)):x")
            queue.add(OutboundTyping(room: RoomID(trusted: "!r:x"), user: user, isTyping: true))
            queue.add(OutboundPresence(user: user, presence: "online", lastActive: nil, statusMessage: nil, isCurrentlyActive: nil))
            queue.add(
                OutboundReceipt(
                    room: RoomID(trusted: "!r:x"), user: user, thread: "", event: EventID(trusted: "$e"), time: Timestamp(milliseconds: 1)))
        }
    }

    private func pdu(_ position: Int64, _ room: Int) -> OutboundPDU {
        OutboundPDU(position: StreamPosition(position), json: Array("event \(room) \(position)".utf8))
    }

    private func update(_ position: Int64, _ device: Int, _ previous: Int64?) -> OutboundDeviceUpdate {
        OutboundDeviceUpdate(
            position: StreamPosition(position), edus: [OutboundEDU(json: Array("device \(device) \(position) \(previous ?? 0)".utf8))])
    }

    // MARK: The steps of the queue

    mutating func step() {
        if inFlight != nil { return finish() }
        if !queue.isRunning {
            if queue.isEmpty { return }
            _ = queue.start()
        }
        switch queue.next(at: Timestamp(milliseconds: 1)) {
        case .rest: break
        case .send(let transaction): inFlight = transaction
        case .findMissedRooms(let after, let limit):
            var newest: [Int: Int64] = [:]
            for event in events { newest[event.room] = event.position }
            let rooms = newest.filter { $0.value > after.value }.sorted { $0.value < $1.value }.prefix(min(limit, 3))
            let rows = rooms.map { MissedRoomRow(room: RoomNID(Int64($0.key)), position: StreamPosition($0.value)) }
            queue.foundMissedRooms(rows, upTo: StreamPosition(position))
        case .fetchMissedEvents(let room, _):
            inFlight = queue.foundMissedEvents([pdu(room.position.value, Int(room.room.value))], in: room)
        case .readDeviceUpdates(let after, _):
            let limit = 3
            var newest: [Int: Int64] = [:]
            for change in devices where change.position > after.value { newest[change.device] = change.position }
            var previous = devices.last { $0.position <= after.value }?.position
            let page = newest.sorted { $0.value < $1.value }.prefix(limit)
            let updates = page.map { device, position in
                defer { previous = position }
                return update(position, device, previous)
            }
            queue.foundDeviceUpdates(updates, upTo: StreamPosition(position), isComplete: page.count < limit)
        case .readMessages(let after, _):
            let page = outbox.filter { $0 > after.value }.prefix(4)
            queue.foundMessages(
                page.map {
                    OutboundDeviceMessage(position: StreamPosition($0), edu: OutboundEDU(json: Array("message \($0)".utf8)))
                }, isComplete: page.count < 4)
        }
    }

    private mutating func finish() {
        guard let transaction = inFlight else { return }
        inFlight = nil
        let arrives = chance(60)
        if arrives { receive(transaction) }
        // It arrived, but its answer did not.
        if arrives, !chance(10) {
            queue.didSend(transaction)
            if let position = transaction.messagesUpTo { acknowledged = position.value }
        } else {
            queue.didFail(transaction)
        }
    }

    mutating func save() {
        saved = (position, queue.backlog)
        outbox.removeAll { $0 <= acknowledged }
    }

    /// What is in memory is lost.
    mutating func crash() {
        inFlight = nil
        queue = TransactionQueue(backlog: saved.backlog, limits: limits)
        if let first = events.first(where: { $0.position > saved.position }) {
            queue.miss(DestinationBacklogRow(eventsAfter: StreamPosition(first.position - 1)))
        }
        if let first = devices.first(where: { $0.position > saved.position }) {
            queue.miss(DestinationBacklogRow(deviceListsAfter: StreamPosition(first.position - 1)))
        }
        if !outbox.isEmpty { queue.noteMessages() }
    }

    // MARK: The other side

    fileprivate mutating func receive(_ transaction: Transaction) {
        #expect(transaction.pdus.count <= 50 && transaction.edus.count <= 100)
        for pdu in transaction.pdus {
            let words = String(decoding: pdu.json, as: UTF8.self).split(separator: " ")
            receiver.events[Int(words[1])!, default: []].append(Int64(words[2])!)
        }
        for edu in transaction.edus {
            let words = String(decoding: edu.json, as: UTF8.self).split(separator: " ")
            switch words[0] {
            case "message":
                // A server knows messages by their ids.
                if !receiver.messages.contains(Int64(words[1])!) { receiver.messages.append(Int64(words[1])!) }
            case "device": receiveDevice(Int(words[1])!, Int64(words[2])!, previous: Int64(words[3])!)
            default: break
            }
        }
    }

    private mutating func receiveDevice(_ device: Int, _ position: Int64, previous: Int64) {
        if position <= receiver.link { return }
        if previous == receiver.link {
            receiver.devices[device] = position
        } else {
            receiver.resyncs += 1
            for change in devices { receiver.devices[change.device] = change.position }
        }
        receiver.link = position
    }

    // MARK: What must hold

    func check(_ seed: UInt64) {
        for room in Set(events.map(\.room)) {
            let newest = events.last { $0.room == room }?.position
            let received = receiver.events[room] ?? []
            #expect(received.max() == newest, "seed \(seed), room \(room)")
            var seen: Set<Int64> = []
            var last: Int64 = 0
            for position in received {
                #expect(position > last || seen.contains(position), "seed \(seed), room \(room): \(position) after \(last)")
                seen.insert(position)
                last = max(last, position)
            }
        }
        #expect(receiver.messages == sentMessages, "seed \(seed)")
        for device in Set(devices.map(\.device)) {
            let newest = devices.last { $0.device == device }?.position
            #expect(receiver.devices[device] == newest, "seed \(seed), device \(device)")
        }
    }
}

@Suite("Delivery to a server that comes and goes")
struct DeliveryTests {
    @Test("what must arrive arrives, in order, and memory stays bounded", arguments: [false, true])
    func everything(crashes: Bool) {
        for seed in UInt64(0)..<400 {
            var world = World(seed: seed, crashes: crashes)
            for _ in 0..<400 {
                if world.chance(50) { world.happen() } else { world.step() }
                if world.chance(3) { world.save() }
                if crashes, world.chance(1) { world.crash() }
                #expect(world.queue.heldCount <= world.bound, "seed \(seed)")
            }
            var steps = 0
            while !world.queue.isEmpty || world.inFlight != nil, steps < 10_000 {
                world.step()
                steps += 1
            }
            #expect(world.queue.isEmpty && world.queue.backlog.isEmpty, "seed \(seed)")
            world.check(seed)
        }
    }

    @Test("a server that answers needs to ask for no list of devices, also after it was away")
    func chain() {
        for seed in UInt64(1000)..<1200 {
            var world = World(seed: seed, crashes: false)
            for _ in 0..<300 {
                world.happen()
                // Nothing is lost on the way back: what arrived counts as arrived.
                while world.chance(50) {
                    if let transaction = world.inFlight, world.chance(50) {
                        world.inFlight = nil
                        world.queue.didFail(transaction)
                    } else if world.inFlight == nil {
                        world.step()
                    } else {
                        world.deliver()
                    }
                }
            }
            #expect(world.receiver.resyncs == 0, "seed \(seed)")
        }
    }
}

extension World {
    /// The transaction under way arrives, and so does its answer.
    fileprivate mutating func deliver() {
        guard let transaction = inFlight else { return }
        inFlight = nil
        receive(transaction)
        queue.didSend(transaction)
        if let position = transaction.messagesUpTo { acknowledged = position.value }
    }
}
