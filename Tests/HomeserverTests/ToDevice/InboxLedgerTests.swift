import Homeserver
import MatrixCore
import Persistence
import Testing

@Suite("Inbox ledger")
struct InboxLedgerTests {
    let inbox = DeviceAddress(user: UserID(trusted: "@a:b"), device: DeviceID(trusted: "D"))

    private func isEmpty(_ ledger: inout InboxLedger, after value: Int64) -> Bool { ledger.isEmpty(inbox, after: position(value)) }

    private func needsDeletion(_ ledger: inout InboxLedger, upTo value: Int64) -> Bool {
        ledger.needsDeletion(inbox, upTo: position(value))
    }

    private func position(_ value: Int64) -> StreamPosition { StreamPosition(value) }

    @Test("nothing is certain before the first reading; then a quiet inbox needs neither reading nor deletion")
    func quiet() {
        var ledger = InboxLedger(capacity: 10)
        #expect(!isEmpty(&ledger, after: 5))
        #expect(needsDeletion(&ledger, upTo: 5))
        ledger.didDelete(inbox, upTo: position(5))
        let reading = ledger.beginReading(inbox)
        ledger.endReading(reading, of: inbox, foundNothingAfter: position(5))
        #expect(isEmpty(&ledger, after: 5))
        #expect(isEmpty(&ledger, after: 9))
        #expect(!isEmpty(&ledger, after: 4))
        #expect(!needsDeletion(&ledger, upTo: 9))
    }

    @Test("a message makes an inbox uncertain until it is read and confirmed")
    func message() {
        var ledger = InboxLedger(capacity: 10)
        ledger.didDelete(inbox, upTo: position(5))
        ledger.endReading(ledger.beginReading(inbox), of: inbox, foundNothingAfter: position(5))
        ledger.beginSending(to: [inbox])
        ledger.endSending(to: [inbox])
        #expect(!isEmpty(&ledger, after: 5))
        #expect(needsDeletion(&ledger, upTo: 7))
        #expect(!needsDeletion(&ledger, upTo: 5))
        ledger.didDelete(inbox, upTo: position(7))
        ledger.endReading(ledger.beginReading(inbox), of: inbox, foundNothingAfter: position(7))
        #expect(!needsDeletion(&ledger, upTo: 8))
    }

    @Test("a reading that overlaps with a sending proves nothing, whichever began first")
    func overlap() {
        var ledger = InboxLedger(capacity: 10)
        let before = ledger.beginReading(inbox)
        ledger.beginSending(to: [inbox])
        ledger.endReading(before, of: inbox, foundNothingAfter: position(5))
        #expect(!isEmpty(&ledger, after: 5))

        let during = ledger.beginReading(inbox)
        ledger.endSending(to: [inbox])
        ledger.endReading(during, of: inbox, foundNothingAfter: position(5))
        #expect(!isEmpty(&ledger, after: 5))

        ledger.endReading(ledger.beginReading(inbox), of: inbox, foundNothingAfter: position(5))
        #expect(isEmpty(&ledger, after: 5))
    }

    @Test("two sendings at once end one by one")
    func twoSenders() {
        var ledger = InboxLedger(capacity: 10)
        ledger.beginSending(to: [inbox])
        ledger.beginSending(to: [inbox])
        ledger.endSending(to: [inbox])
        let during = ledger.beginReading(inbox)
        #expect(during == nil)
        ledger.endSending(to: [inbox])
        let after = ledger.beginReading(inbox)
        #expect(after != nil)
    }
}
