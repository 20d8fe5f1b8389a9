export const exposureNoticeFields = (one: object, _: object): object => one;
