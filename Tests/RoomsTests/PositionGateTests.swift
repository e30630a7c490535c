// A place in the stream, and those who wait for it.

import Persistence
import Rooms
import Testing

@Suite("Those who wait for a position")
struct PositionGateTests {
    @Test("go on when it is reached or passed, and not before")
    func reached() async {
        let gate = PositionGate(at: StreamPosition(5))
        #expect(await gate.wait(for: StreamPosition(5)))
        async let next = gate.wait(for: StreamPosition(6))
        async let far = gate.wait(for: StreamPosition(9))
        gate.advance(to: StreamPosition(7))
        #expect(await next)
        #expect(await gate.wait(for: StreamPosition(9), within: .milliseconds(20)) == false)
        gate.advance(to: StreamPosition(9))
        #expect(await far)
    }

    @Test("see a position that never goes back")
    func monotonic() {
        let gate = PositionGate(at: StreamPosition(5))
        gate.advance(to: StreamPosition(3))
        #expect(gate.position == StreamPosition(5))
    }

    @Test("are let go when they are cancelled, before or while they wait")
    func cancelled() async {
        let gate = PositionGate(at: .zero)
        for delay in [0, 20] {
            let waiting = Task { await gate.wait(for: StreamPosition(1)) }
            if delay > 0 { try? await Task.sleep(for: .milliseconds(delay)) }
            waiting.cancel()
            #expect(await waiting.value == false)
        }
        gate.advance(to: StreamPosition(1))
        #expect(await gate.wait(for: StreamPosition(1)))
    }
}
