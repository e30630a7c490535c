// A device of a user.

import MatrixCore

/// Device ids are unique only among the devices of one user.
package struct DeviceAddress: Hashable, Comparable, Sendable {
    package let user: UserID
    package let device: DeviceID

    package init(user: UserID, device: DeviceID) {
        self.user = user
        self.device = device
    }

    package static func < (a: DeviceAddress, b: DeviceAddress) -> Bool {
        a.user == b.user ? a.device < b.device : a.user < b.user
    }
}
