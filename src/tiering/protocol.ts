/**
 * The order of reads and writes that a move between tiers rests on. Everything before the swap is invisible
 * to readers; the swap is one database transaction; everything after it only removes what nothing names.
 *
 *  1. lease            one relocation at a time on a table (catalog)
 *  2. begin            the relocation with its plan stands in the journal, state `copying`
 *  3. journal          every old -> new path stands in the journal before an object is made at the new path;
 *                      a new path is used once, ever
 *  4. copy             each data file to its new path; size and checksum verified before anything names it
 *  5. rewrite deletes  position delete files that name a moved file
 *  6. manifests        every manifest that lists a moved or rewritten file, one to one
 *  7. manifest lists   of every retained snapshot that lists such a manifest, whatever its branch or tag
 *  8. fences           per branch with changed history: its rewritten head + tombstones of the retired data paths
 *  9. swap             pointer (compare-and-set), journal state `swapped` and ledger, in one transaction
 * 10. clean            what was made for an attempt that another commit overtook
 * 11. ledger           after the grace: old objects that no live snapshot of any table names; state `finished`
 *
 * A crash before 9 leaves state `copying`: the next apply goes on from the journal if step 3 was complete
 * (then the journal holds as many data files as the plan promised), else it rolls back: first the state, under
 * the lease, so that no swap can follow; then the copies. A crash between those two leaves copies to the next apply. A crash after 9 leaves `swapped`: the next apply does 10 and 11. Nothing rolls back after 9.
 *
 * On a conflict at 9 steps 5 to 8 run again on the new base. What was written for manifests that are still
 * listed is used again: the set of moved data files is fixed at 3, so a manifest that was rewritten once
 * needs no other change. Fences are made anew, as their sequence numbers and parents depend on the base.
 */
export const RELOCATION_STEPS = [
  'leased',
  'begun',
  'journaled',
  'copied-one',
  'copied',
  'deletes-rewritten',
  'manifests-written',
  'lists-written',
  'fences-written',
  'swapped',
  'cleaned',
  'ledger-swept',
] as const;

/** A step that has just been completed. */
export type RelocationStep = (typeof RELOCATION_STEPS)[number];

/** Told of each completed step; a crash test stops here. */
export interface FaultHook {
  at(step: RelocationStep): Promise<void>;
}

export const NO_FAULTS: FaultHook = { at: async () => {} };

/** In a snapshot's summary: it is the fence of the relocation with this id. */
export const FENCE_PROPERTY = 'lake.relocation-id';
