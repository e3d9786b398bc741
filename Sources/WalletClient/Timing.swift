/// How a client waits: apart, so that tests need not.
package struct Timing: Sendable {
    /// Sleeps; throws only when the task is cancelled.
    var sleep: @Sendable (Duration) async throws -> Void
    /// A random number, 0 ..< 1.
    var random: @Sendable () -> Double

    package init(
        sleep: @escaping @Sendable (Duration) async throws -> Void,
        random: @escaping @Sendable () -> Double
    ) {
        self.sleep = sleep
        self.random = random
    }

    static let system = Timing(
        sleep: { try await Task.sleep(for: $0) }, random: { Double.random(in: 0..<1) })

    /// How long to wait after an attempt has failed; `nil` where the service asks for more than
    /// the configuration allows.
    ///
    /// Exponential, and half of it random, so that clients that failed together do not come back
    /// together.
    package func pause(
        after attempt: Int, asked: Duration?, _ configuration: WalletClient.Configuration
    ) -> Duration? {
        var pause = configuration.firstPause
        for _ in 1..<max(attempt, 1) where pause < configuration.longestPause { pause *= 2 }
        pause = min(pause, configuration.longestPause)
        let jittered = pause / 2 + (pause / 2) * random()
        guard let asked else { return jittered }
        guard asked <= configuration.longestRetryAfter else { return nil }
        return asked + jittered
    }
}
