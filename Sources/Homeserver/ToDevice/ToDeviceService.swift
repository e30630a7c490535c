// Messages between devices: sent, kept until confirmed, handed to sync. Client-Server API §Send-to-Device messaging.

import Logging
import MatrixCore
import Persistence
import Rooms
import ServerConfiguration
import ServiceLifecycle
import Synchronization

/// Sends messages to devices and keeps them until the device has confirmed them by syncing from behind them; those to devices of other servers,
/// until the server has taken them.
package final class ToDeviceService: Sendable {
    let database: any Database
    let journal: Journal
    let serverName: ServerName
    private let federation: FederationConfiguration
    private let logger: Logger
    let ledger = Mutex(InboxLedger(capacity: 20_000))

    /// How long a transaction ID is remembered.
    static let transactionMemory: Int64 = 7 * 24 * 60 * 60 * 1000

    package init(
        database: any Database, journal: Journal, serverName: ServerName, federation: FederationConfiguration = FederationConfiguration(),
        logger: Logger
    ) {
        self.database = database
        self.journal = journal
        self.serverName = serverName
        self.federation = federation
        self.logger = logger
    }

    // MARK: Sending

    /// The transaction is known: its messages were sent.
    private struct AlreadySent: Error {}

    /// Sends every message of a request, or none. A transaction ID that the same device used before for this type of message
    /// sends nothing, also after a restart.
    ///
    /// Messages to devices that do not exist are dropped, and those to servers that the operator does not let us speak with.
    package func send(_ request: ToDeviceRequest, transaction: String, from requester: Requester) async throws {
        guard !transaction.utf8.contains(0) else {
            throw MatrixError.invalidParam("The transaction ID holds a character that is not allowed")
        }
        guard let messages = try await messages(of: request, transaction: transaction, from: requester) else { return }
        let note: @Sendable (any SQLConnection) throws -> Void = { connection in
            let isNew = try ToDeviceStore.insertTransaction(
                transaction, type: request.type, of: requester.device, of: requester.user, at: .now, on: connection)
            if !isNew { throw AlreadySent() }
        }
        let outbound = request.outbound(from: requester.user) { $0 != serverName && federation.allows($0) }
        do {
            try await deliver(messages, together: outbound, alongside: note)
        } catch is AlreadySent {
            return
        }
    }

    /// Puts messages into inboxes, and what goes to other servers beside them, all of it or nothing.
    func deliver(
        _ messages: [ToDeviceMessage], together outbound: [OutboundToDevice] = [],
        alongside note: @escaping @Sendable (any SQLConnection) throws -> Void
    ) async throws {
        let addresses = Set(messages.map(\.address))
        ledger.withLock { $0.beginSending(to: addresses) }
        defer { ledger.withLock { $0.endSending(to: addresses) } }
        try await journal.append(JournalBatch(records: messages + outbound, alongside: note))
    }

    /// One record for each device that gets a message; nil where the transaction is known.
    private func messages(
        of request: ToDeviceRequest, transaction: String, from requester: Requester
    ) async throws -> [ToDeviceMessage]? {
        var recipients: [UserID: ToDeviceRequest.Recipient] = [:]
        for recipient in request.recipients where recipient.user.belongs(to: serverName) {
            recipients[recipient.user] = recipient
        }
        let users = Array(recipients.keys)
        let devices = try await database.read { connection -> [DeviceAddress]? in
            let isKnown = try ToDeviceStore.hasTransaction(
                transaction, type: request.type, of: requester.device, of: requester.user, on: connection)
            if isKnown { return nil }
            guard !users.isEmpty else { return [] }
            return try ToDeviceStore.devices(of: users, on: connection).map { DeviceAddress(user: $0.user, device: $0.device) }
        }
        return devices?.compactMap { address in
            recipients[address.user]?.content(for: address.device).map { content in
                ToDeviceMessage(to: address, type: request.type, sender: requester.user, content: content)
            }
        }
    }

    // MARK: What sync asks

    /// The messages for a device after `after` up to `upTo`, at most `limit`.
    ///
    /// - Returns: the events as the client gets them, and the position up to which they are complete: `upTo`, or that of the last
    ///   event where there are more.
    package func pending(
        for user: UserID, device: DeviceID, after: StreamPosition, upTo: StreamPosition, limit: Int
    ) async throws -> (events: [[UInt8]], next: StreamPosition) {
        let address = DeviceAddress(user: user, device: device)
        let reading = ledger.withLock { ledger -> InboxLedger.Reading?? in
            ledger.isEmpty(address, after: after) ? .none : .some(ledger.beginReading(address))
        }
        guard let reading else { return ([], upTo) }
        let rows = try await database.read { connection in
            try ToDeviceStore.messages(to: device, of: user, after: after, limit: limit + 1, on: connection)
        }
        if rows.isEmpty {
            ledger.withLock { $0.endReading(reading, of: address, foundNothingAfter: after) }
        }
        let due = rows.prefix { $0.position <= upTo }
        guard due.count > limit else { return (due.map(\.json), upTo) }
        let page = due.prefix(limit)
        return (page.map(\.json), page.last?.position ?? after)
    }

    /// Deletes what a device has confirmed: a sync from `upTo` says that everything before has arrived.
    package func acknowledge(_ user: UserID, _ device: DeviceID, upTo: StreamPosition) async throws {
        let address = DeviceAddress(user: user, device: device)
        guard ledger.withLock({ $0.needsDeletion(address, upTo: upTo) }) else { return }
        try await database.write { connection in
            try ToDeviceStore.delete(to: device, of: user, upTo: upTo, on: connection)
        }
        ledger.withLock { $0.didDelete(address, upTo: upTo) }
    }
}

extension ToDeviceService: DeviceObserver {
    package func deleteRows(of device: DeviceID, user: UserID, on connection: any SQLConnection) throws {
        try ToDeviceStore.delete(of: device, of: user, on: connection)
    }

    package func didDelete(_ devices: [DeviceID], of user: UserID) async {
        ledger.withLock { ledger in
            for device in devices { ledger.forget(DeviceAddress(user: user, device: device)) }
        }
    }
}

extension ToDeviceService: Service {
    /// Forgets old transaction IDs, now and every hour.
    package func run() async throws {
        await cancelWhenGracefulShutdown { [self] in
            while !Task.isCancelled {
                await forgetOldTransactions()
                try? await Task.sleep(for: .seconds(3600))
            }
        }
    }

    private func forgetOldTransactions() async {
        let limit = Timestamp.now.advanced(byMilliseconds: -ToDeviceService.transactionMemory)
        do {
            try await database.write { try ToDeviceStore.deleteTransactions(before: limit, on: $0) }
        } catch {
            logger.warning("could not delete old to-device transactions", metadata: ["error": "\(error)"])
        }
    }
}
