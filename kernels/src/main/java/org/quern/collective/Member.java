package org.quern.collective;

/// What a worker of a group knows of itself.
abstract class Member implements Communicator {
    final int rank;
    final int world;
    private final Place place;

    Member(int rank, int world, Place place) {
        this.rank = rank;
        this.world = world;
        this.place = place;
    }

    @Override
    public final int rank() {
        return rank;
    }

    @Override
    public final int world() {
        return world;
    }

    @Override
    public final Place place() {
        return place;
    }
}
