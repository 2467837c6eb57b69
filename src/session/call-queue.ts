/**
 * Places for the calls of a store. A store that is slow must not take the service down: only so
 * many calls are in flight, further ones wait in line, and what keeps revoked tokens out goes
 * first. `store-client.ts` decides how long a call may take, its wait included.
 */

/** How many calls are in flight and how many wait, for metrics. */
export interface CallLoad {
  /** Calls that the store is working on. */
  readonly inFlight: number
  /** Calls that wait for a place. */
  readonly waiting: number
}

/** A call that asks for a place. */
export interface PlaceRequest {
  /** Whether it goes before others: the revocation feed, logouts and other revocations. */
  readonly isUrgent: boolean
  /** Called when there is a place, at once or later. */
  readonly onPlace: (release: () => void) => void
}

/** Places beside the ordinary ones, which only urgent calls take. */
const URGENT_PLACES = 16

/** How many calls may wait for each place. */
const WAITING_PER_PLACE = 16

/** Hands out the places of one store. */
export class CallQueue {
  readonly #places: number
  readonly #urgent: PlaceRequest[] = []
  readonly #ordinary: PlaceRequest[] = []
  #inFlight = 0

  /** @param places the most ordinary calls in flight */
  constructor(places: number) {
    this.#places = places
  }

  /**
   * Asks for a place.
   *
   * @returns a function that leaves the line, where the call waits; undefined when it has its place
   *   already; null when the line is full
   */
  enter(request: PlaceRequest): (() => void) | undefined | null {
    if (this.#hasPlace(request.isUrgent)) return this.#begin(request)
    const line = request.isUrgent ? this.#urgent : this.#ordinary
    if (line.length >= this.#places * WAITING_PER_PLACE) return null
    line.push(request)
    return () => {
      const index = line.indexOf(request)
      if (index >= 0) line.splice(index, 1)
    }
  }

  /** How many calls are in flight and how many wait. */
  load(): CallLoad {
    return { inFlight: this.#inFlight, waiting: this.#urgent.length + this.#ordinary.length }
  }

  #hasPlace(isUrgent: boolean): boolean {
    return this.#inFlight < this.#places + (isUrgent ? URGENT_PLACES : 0)
  }

  /** Gives a call its place, which it gives back once. */
  #begin({ onPlace }: PlaceRequest): undefined {
    this.#inFlight++
    let isOccupied = true
    onPlace(() => {
      if (!isOccupied) return
      isOccupied = false
      this.#inFlight--
      this.#next()
    })
  }

  #next(): void {
    const line = this.#urgent.length > 0 ? this.#urgent : this.#ordinary
    if (!this.#hasPlace(line === this.#urgent)) return
    const request = line.shift()
    if (request !== undefined) this.#begin(request)
  }
}
