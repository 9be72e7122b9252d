import { channel } from 'node:diagnostics_channel';

/** What goes on inside, for whoever counts it: the metrics of a server subscribe, nobody else has to know of them. */

/** Published each time that a commit is applied anew, as another one came first; no message. */
export const commitRetried = channel('lakewarden.catalog.commit-retried');

/** Published for each metadata file that is asked for; the message is a `MetadataAsked`. */
export const metadataAsked = channel('lakewarden.catalog.metadata-asked');

export interface MetadataAsked {
  readonly cached: boolean;
}
