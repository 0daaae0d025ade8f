import Platform
import Testing

@Suite struct SystemSurroundingsTests {
    let system = Surroundings.system

    @Test func timeRunsForward() {
        let before = system.uptime()
        system.pause(2_000_000)
        #expect(system.uptime() >= before + 2_000_000)
        // Between 2025 and 2200: not seconds, not since some other day.
        #expect((1_735_689_600...7_258_118_400).contains(system.now().nanoseconds / 1_000_000_000))
    }

    @Test(arguments: [0, 1, 255, 256, 257, 1000])
    func randomnessComesInAnyAmountAndNeverTwice(count: Int) {
        let bytes = system.random(count)
        #expect(bytes.count == count)
        if count > 200 {
            #expect(Set(bytes).count > 100)
            #expect(Set(bytes.suffix(100)).count > 50, "the end is filled too")
            #expect(bytes != system.random(count))
        }
    }
}
