export class ExposureNews { unread = 0; take(): readonly object[] { return []; } onNews(_wake: () => void): () => void { return () => undefined; } }
