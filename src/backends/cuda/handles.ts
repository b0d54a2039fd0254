/** What was taken from a device and must be given back, the last first. */
export class Handles {
  private readonly owned: (() => void)[] = [];

  own<T>(handle: T, giveBack: (handle: T) => void): T {
    this.owned.push(() => giveBack(handle));
    return handle;
  }

  /** Gives everything back, also where that fails for some; then throws the first failure. */
  release(): void {
    const failures: unknown[] = [];
    for (const giveBack of this.owned.splice(0).reverse()) {
      try {
        giveBack();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }

  /** What `make` gives. Where it throws, all is given back, and its error is the one that counts. */
  orReleased<T>(make: () => T): T {
    try {
      return make();
    } catch (error) {
      try {
        this.release();
      } catch {
        // A device that is lost takes nothing back either; what it was lost by says more.
      }
      throw error;
    }
  }
}
