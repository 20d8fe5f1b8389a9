/** The environment as it was handed to the process. */
export type Environment = Readonly<Record<string, string | undefined>>;
