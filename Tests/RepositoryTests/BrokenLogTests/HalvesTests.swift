import Platform
import Repository
import Sealing
import Support
import Testing

/// A record is found in its object as long as one half of it is anywhere in there.
struct HalvesTests {
    private func record() throws -> Record {
        let world = try RuleWorld(seed: 70)
        return try world.record(world.draft(packs: 3).body, by: .author(world.writer))
    }

    @Test func bytesLostAtTheEndLeaveTheFirstHalf() throws {
        let record = try record()
        let object = Record.object(record.bytes)
        for lost in 1...object.count / 2 {
            let halves = Record.Halves(Array(object.dropLast(lost)))
            #expect(halves.first == record.bytes && halves.isHurt, "\(lost) bytes lost")
        }
        #expect(Record.Halves(Array(object.prefix(object.count / 2 - 1))).both.isEmpty)
    }

    @Test func bytesLostAtTheFrontLeaveTheSecondHalf() throws {
        let record = try record()
        let object = Record.object(record.bytes)
        for lost in 1...object.count / 2 {
            let halves = Record.Halves(Array(object.dropFirst(lost)))
            #expect(halves.either == record.bytes && halves.isHurt, "\(lost) bytes lost")
        }
    }

    @Test(arguments: [1, 2, 3, 31, 32, 33, 100, 5000]) func bytesAddedAnywhereLeaveAHalf(count: Int) throws {
        let record = try record()
        let object = Record.object(record.bytes)
        let junk = Surroundings.seeded(UInt64(count)).random(count)
        for place in [0, 1, 40, object.count / 2 - 1, object.count / 2, object.count - 1, object.count] {
            let halves = Record.Halves(Array(object[..<place]) + junk + object[place...])
            #expect(halves.different == [record.bytes] && halves.isHurt, "\(count) bytes at \(place)")
        }
    }

    @Test func aByteLostInEitherHalfLeavesTheOther() throws {
        let record = try record()
        let object = Record.object(record.bytes)
        for place in stride(from: 0, to: object.count, by: 7) {
            var cut = object
            cut.remove(at: place)
            let halves = Record.Halves(cut)
            #expect(halves.different == [record.bytes] && halves.isHurt, "byte \(place)")
        }
    }

    @Test func anObjectFullOfOpeningsIsGivenUpSoon() {
        let junk = Array(repeating: Array("BWLR".utf8) + [1], count: 400_000).flatMap { $0 }
        let clock = ContinuousClock()
        let took = clock.measure { #expect(Record.Halves(junk).both.isEmpty) }
        #expect(took < .seconds(5))
    }

    @Test func aWholeObjectIsNotHurt() throws {
        #expect(!Record.Halves(Record.object(try record().bytes)).isHurt)
    }
}
