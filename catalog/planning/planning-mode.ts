/** Who plans scans (REST spec: `scan-planning-mode`). */
export type ScanPlanningMode = 'client' | 'server';
