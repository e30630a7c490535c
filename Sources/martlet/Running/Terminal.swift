// Asking the person at the terminal.

import Glibc

enum Terminal {
    /// A password, asked for twice without showing it, or one line of a pipe. nil: the two differ, or there is none.
    static func newPassword() -> String? {
        guard isatty(STDIN_FILENO) != 0 else { return readLine() }
        guard let first = hidden("Password: "), let second = hidden("Confirm password: "), first == second else { return nil }
        return first
    }

    /// A line that is not shown while it is typed.
    private static func hidden(_ prompt: String) -> String? {
        var old = termios()
        guard tcgetattr(STDIN_FILENO, &old) == 0 else { return nil }
        var silent = old
        silent.c_lflag &= ~tcflag_t(ECHO)
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent)
        defer {
            tcsetattr(STDIN_FILENO, TCSAFLUSH, &old)
            write(prompt: "\n")
        }
        write(prompt: prompt)
        return readLine()
    }

    private static func write(prompt: String) {
        let bytes = Array(prompt.utf8)
        _ = Glibc.write(STDERR_FILENO, bytes, bytes.count)
    }
}
