// What is known in memory of the devices' inboxes, so that a quiet sync asks no database.

import MatrixCore
import Persistence

/// Knows of an inbox whether it is certain to be empty: a pure value. True as long as this process is the only one that
/// sends messages to the devices it knows.
///
/// Sending is told before it begins and after it has ended. In between, and for a reading that overlapped with it, nothing
/// is certain.
package struct InboxLedger: Sendable {
    private struct Inbox {
        /// No message stands behind this position; nil: not known.
        var emptyAfter: StreamPosition?
        /// Everything up to here is deleted.
        var deletedUpTo: StreamPosition = .zero
        /// The newest reading under way whose result still counts.
        var reading: Reading?
    }

    /// A reading of an inbox that is under way.
    package struct Reading: Sendable, Equatable {
        fileprivate let number: UInt64
    }

    private var inboxes: RecentCache<DeviceAddress, Inbox>
    /// How many sendings to a device are under way.
    private var senders: [DeviceAddress: Int] = [:]
    private var lastReading: UInt64 = 0

    package init(capacity: Int) {
        inboxes = RecentCache(capacity: capacity)
    }

    // MARK: Sending

    package mutating func beginSending(to addresses: Set<DeviceAddress>) {
        for address in addresses {
            senders[address, default: 0] += 1
            guard var inbox = inboxes.value(for: address) else { continue }
            inbox.emptyAfter = nil
            inbox.reading = nil
            inboxes.insert(inbox, for: address)
        }
    }

    package mutating func endSending(to addresses: Set<DeviceAddress>) {
        for address in addresses {
            let others = senders[address, default: 1] - 1
            senders[address] = others == 0 ? nil : others
        }
    }

    // MARK: Reading

    /// Whether there is certainly no message after `position`.
    package mutating func isEmpty(_ address: DeviceAddress, after position: StreamPosition) -> Bool {
        guard let emptyAfter = inboxes.value(for: address)?.emptyAfter else { return false }
        return emptyAfter <= position
    }

    package mutating func beginReading(_ address: DeviceAddress) -> Reading? {
        guard senders[address] == nil else { return nil }
        lastReading += 1
        var inbox = inboxes.value(for: address) ?? Inbox()
        let reading = Reading(number: lastReading)
        inbox.reading = reading
        inboxes.insert(inbox, for: address)
        return reading
    }

    /// Ends a reading that found no message at all after `position`.
    package mutating func endReading(_ reading: Reading?, of address: DeviceAddress, foundNothingAfter position: StreamPosition) {
        guard let reading, var inbox = inboxes.value(for: address), inbox.reading == reading else { return }
        inbox.reading = nil
        inbox.emptyAfter = position
        inboxes.insert(inbox, for: address)
    }

    // MARK: Deleting

    /// Whether there may be messages up to `position` that are not deleted yet.
    package mutating func needsDeletion(_ address: DeviceAddress, upTo position: StreamPosition) -> Bool {
        guard let inbox = inboxes.value(for: address) else { return true }
        if position <= inbox.deletedUpTo { return false }
        guard let emptyAfter = inbox.emptyAfter else { return true }
        return emptyAfter > inbox.deletedUpTo
    }

    package mutating func didDelete(_ address: DeviceAddress, upTo position: StreamPosition) {
        var inbox = inboxes.value(for: address) ?? Inbox()
        inbox.deletedUpTo = max(inbox.deletedUpTo, position)
        inboxes.insert(inbox, for: address)
    }

    package mutating func forget(_ address: DeviceAddress) {
        inboxes.remove(address)
    }
}
